import { hostOfKey, modeOfKey, MODES } from "./code-key.ts";

/** A map by the keys of code. They are no small integers, which a Map finds many times faster; host addresses mostly are. */
export class KeyMap<Value> {
  private readonly maps = new Array<Map<number, Value> | undefined>(MODES);

  get(key: number): Value | undefined {
    return this.maps[modeOfKey(key)]?.get(hostOfKey(key));
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: Value): void {
    (this.maps[modeOfKey(key)] ??= new Map<number, Value>()).set(hostOfKey(key), value);
  }

  delete(key: number): void {
    this.maps[modeOfKey(key)]?.delete(hostOfKey(key));
  }

  /** Keys there are. */
  get size(): number {
    return this.maps.reduce((sum, map) => sum + (map?.size ?? 0), 0);
  }

  clear(): void {
    for (const map of this.maps) map?.clear();
  }
}

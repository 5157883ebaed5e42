/**
 * A map by host address and mode, as one number: host address * 1024 + mode. Such numbers are no small integers, which a Map finds many times
 * faster; host addresses mostly are.
 */
export class KeyMap<Value> {
  private readonly maps = new Array<Map<number, Value> | undefined>(1024);

  get(key: number): Value | undefined {
    const host = Math.floor(key / 1024);
    return this.maps[key - host * 1024]?.get(host);
  }

  set(key: number, value: Value): void {
    const host = Math.floor(key / 1024);
    (this.maps[key - host * 1024] ??= new Map<number, Value>()).set(host, value);
  }

  delete(key: number): void {
    const host = Math.floor(key / 1024);
    this.maps[key - host * 1024]?.delete(host);
  }

  clear(): void {
    for (const map of this.maps) map?.clear();
  }
}

/**
 * The description of the target that gdb reads as XML (gdb manual, appendix G "Target Descriptions"): from the same tables that
 * registers are read and written by, so that the two cannot disagree.
 */
import type { Feature } from "./registers.ts";

const EFLAGS = ["CF", "", "PF", "", "AF", "", "ZF", "SF", "TF", "IF", "DF", "OF", "", "", "NT", "", "RF", "VM", "AC", "VIF", "VIP", "ID"];
const MXCSR = ["IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM", "", "", "FZ"];

function flags(id: string, names: readonly string[]): string {
  const fields = names.map((name, bit) => (name === "" ? "" : `<field name="${name}" start="${bit}" end="${bit}"/>`));
  return `<flags id="${id}" size="4">${fields.join("")}</flags>`;
}

const VECTOR = [
  ["v4f", "ieee_single", 4], ["v2d", "ieee_double", 2], ["v16i8", "int8", 16], ["v8i16", "int16", 8], ["v4i32", "int32", 4], ["v2i64", "int64", 2],
] as const;

/** Types that gdb does not bring along, by the name that a register carries. */
const TYPES: Record<string, string> = {
  i386_eflags: flags("i386_eflags", EFLAGS),
  i386_mxcsr: flags("i386_mxcsr", MXCSR),
  vec128: VECTOR.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`).join("")
    + '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/>'
    + '<field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>',
};

/** The XML document for a machine with these features. @param architecture gdb's name of it, such as `i386` */
export function targetXml(architecture: string, features: readonly Feature[]): string {
  let text = `<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target version="1.0">\n<architecture>${architecture}</architecture>\n`;
  for (const { name, registers } of features) {
    text += `<feature name="${name}">\n`;
    for (const type of new Set(registers.map((register) => register.type))) if (TYPES[type] !== undefined) text += `${TYPES[type]}\n`;
    for (const { name: register, bits, type, group } of registers) {
      text += `<reg name="${register}" bitsize="${bits}" type="${type}"${group === undefined ? "" : ` group="${group}"`}/>\n`;
    }
    text += "</feature>\n";
  }
  return `${text}</target>\n`;
}

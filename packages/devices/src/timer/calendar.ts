/**
 * The calendar of a real-time clock: seconds since 1970 (UTC, no leap seconds) to fields and back, and the encodings that a
 * MC146818 keeps them in (binary or BCD, 24 or 12 hours).
 */

/** Fields as people count them: month 1 to 12, weekday 1 (Sunday) to 7, hour 0 to 23. */
export type CalendarTime = { second: number; minute: number; hour: number; weekday: number; day: number; month: number; year: number };

/** The fields of a moment. */
export function calendarTime(epochSeconds: number): CalendarTime {
  const date = new Date(epochSeconds * 1000);
  return {
    second: date.getUTCSeconds(), minute: date.getUTCMinutes(), hour: date.getUTCHours(), weekday: date.getUTCDay() + 1,
    day: date.getUTCDate(), month: date.getUTCMonth() + 1, year: date.getUTCFullYear(),
  };
}

/** The moment of some fields; fields out of range carry over, so that any register contents mean something. */
export function epochSeconds(time: CalendarTime): number {
  const date = new Date(0);
  date.setUTCFullYear(time.year, time.month - 1, time.day);
  date.setUTCHours(time.hour, time.minute, time.second);
  return Math.floor(date.getTime() / 1000);
}

/** A two-digit number as a register holds it. */
export function encodeField(value: number, binary: boolean): number {
  return binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

/** What a register means. */
export function decodeField(register: number, binary: boolean): number {
  return binary ? register : (register >> 4) * 10 + (register & 15);
}

/** An hour as a register holds it; in 12-hour mode bit 7 is PM, and midnight is 12. */
export function encodeHour(hour: number, binary: boolean, hours24: boolean): number {
  if (hours24) return encodeField(hour, binary);
  return encodeField(hour % 12 === 0 ? 12 : hour % 12, binary) | (hour >= 12 ? 0x80 : 0);
}

/** The hour that a register means. */
export function decodeHour(register: number, binary: boolean, hours24: boolean): number {
  if (hours24) return decodeField(register, binary);
  return (decodeField(register & 0x7f, binary) % 12) + ((register & 0x80) !== 0 ? 12 : 0);
}

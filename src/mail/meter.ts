/** What counts one class of recipients of a tenant. */
export type Meter = 'unregistered' | 'forwarded' | 'null'

/** Where no meter is named, it is that of unregistered mail. */
export type NamedMeter = Exclude<Meter, 'unregistered'>

const NAMED: Readonly<Record<string, NamedMeter>> = { f: 'forwarded', n: 'null' }
const LETTERS: Readonly<Record<Meter, string>> = { unregistered: 'u', forwarded: 'f', null: 'n' }

/** The letter that the fields of a meter's windows begin with in the usage. */
export function letterOf(meter: Meter = 'unregistered'): string {
  return LETTERS[meter]
}

/** The meter of a field of the usage; `undefined`: unregistered mail. */
export function namedMeter(field: string): NamedMeter | undefined {
  return NAMED[field.charAt(0)]
}

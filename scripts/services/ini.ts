/** Sections of an ini file; keys of `main` need no section line in Haraka. */
export type Ini = Record<string, Record<string, string | number | boolean | readonly string[]>>

/** Writes an ini file as haraka-config reads it. */
export function formatIni(ini: Ini): string {
  return Object.entries(ini)
    .map(([section, keys]) => `[${section}]\n${Object.entries(keys).map(formatKey).join('')}`)
    .join('\n')
}

function formatKey([key, value]: [string, Ini[string][string]]): string {
  if (typeof value !== 'object') return `${key}=${value}\n`
  return value.map((item) => `${key}[]=${item}\n`).join('')
}

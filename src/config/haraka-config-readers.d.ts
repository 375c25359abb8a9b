// The parsers of haraka-config, which it brings no types for.

declare module 'haraka-config/lib/readers/ini' {
  const reader: {
    /** Sections of strings, numbers and arrays; `main` is always there. */
    parseIni(
      name: string,
      options: object,
      data: string,
    ): Record<string, Record<string, string | number | (string | number)[] | undefined>>
  }
  export default reader
}

declare module 'haraka-config/lib/readers/flat' {
  const reader: {
    parseValue(name: string, type: 'list', options: object, data: string): string[]
    parseValue(name: string, type: 'value', options: object, data: string): string | number | null
  }
  export default reader
}

declare module 'haraka-config/lib/regex' {
  const regex: Readonly<
    Record<
      'section' | 'param' | 'comment' | 'blank' | 'continuation' | 'is_integer' | 'is_array',
      RegExp
    >
  >
  export default regex
}

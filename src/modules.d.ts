// The parts that we use of packages that bring no types.

declare module 'haraka-config' {
  export interface HarakaConfig {
    root_path: string
    overrides_path?: string
    get(name: string, onChange?: () => void): unknown
    get(
      name: string,
      type: 'list' | 'value' | 'ini' | 'data' | 'binary',
      onChange?: () => void,
    ): unknown
    module_config(defaults: string, overrides?: string): HarakaConfig
    stop_watching(name: string): void
  }
  const config: HarakaConfig
  export default config
}

declare module 'haraka-constants' {
  const constants: {
    readonly cont: 900
    readonly stop: 901
    readonly deny: 902
    readonly denysoft: 903
    readonly ok: 906
  }
  export default constants
}

declare module 'haraka-dsn' {
  export interface DSN {
    readonly code: number
    readonly reply: string
  }
  const dsn: {
    create(code: number, text: string, subject: number, detail: number): DSN
  }
  export default dsn
}

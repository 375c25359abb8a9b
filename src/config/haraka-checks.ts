import { iniBoolean, type HarakaFiles } from './haraka-files'

/** Something in Haraka's own configuration that changes what this plugin can do. */
export interface HarakaWarning {
  /** One word for it, stable. */
  readonly check: string
  readonly message: string
  /** What to do. */
  readonly advice: string
}

/** AUTH plugins that look at the sender, and the section of their ini file (Haraka `plugins/auth/`). */
const CONSTRAINING: Readonly<Record<string, readonly [file: string, section: string]>> = {
  'auth/flat_file': ['auth_flat_file.ini', 'core'],
  'auth/auth_vpopmaild': ['auth_vpopmaild.ini', 'main'],
}

/** What to warn of when Haraka starts; `tenantctl doctor` checks the same. */
export function harakaWarnings(files: HarakaFiles): HarakaWarning[] {
  return [...constrainSenderWarnings(files), ...denyCharsWarnings(files)]
}

/** `config/plugins` in its order, each name as Haraka shortens it (`plugins.js`, `load_plugins`). */
export function pluginNames(files: HarakaFiles): string[] {
  return files.list('plugins').map((name) => name.replace(/^haraka-plugin-/, ''))
}

/** Haraka `plugins/auth/auth_base.js`, `constrain_sender`: on unless the file says otherwise. */
export function constrainSenderWarnings(files: HarakaFiles): HarakaWarning[] {
  return pluginNames(files).flatMap((plugin) => {
    const [file, section] = CONSTRAINING[plugin] ?? []
    if (file === undefined || section === undefined) return []
    if (!iniBoolean(files.ini(file)[section], 'constrain_sender', true)) return []
    return [
      {
        check: 'constrain_sender',
        message: `${plugin} refuses senders whose domain is not that of the AUTH user, before anything is metered: of a user name@domain all unregistered mail, and mail from the tenant's other accepted domains`,
        advice: `set constrain_sender=false in [${section}] of ${file}, and restart Haraka`,
      },
    ]
  })
}

/** Haraka `connection.js`, `respond`: with it a reply reads `550 [UUID@host] 5.7.750 …`. */
export function denyCharsWarnings(files: HarakaFiles): HarakaWarning[] {
  const value = files.ini('connection.ini')['uuid']?.['deny_chars']
  if (!value) return []
  return [
    {
      check: 'deny_chars',
      message: `deny_chars=${String(value)} puts text before the enhanced status code of every refusal: clients no longer find 5.7.750 in its place`,
      advice: 'set deny_chars=0 in [uuid] of connection.ini, and restart Haraka',
    },
  ]
}

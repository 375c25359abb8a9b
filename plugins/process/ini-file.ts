import { channelWarnings } from '../../src/alerts/channel-settings'
import { alertWarnings } from '../../src/alerts/settings'
import { parseConfig, type Config, type ParsedConfig } from '../../src/process/config'
import { CONFIG_FILE, readConfigFile, type ConfigFile } from '../../src/process/config-file'
import { atLine } from '../../src/config/ini-lines'
import { messageOf } from '../../src/base/errors'
import type { Settings } from '../../src/config/settings-reader'
import type { RawIni } from '../../src/config/stray-lines'
import type { Plugin } from '../kit/haraka'

const READABLE = 'the user that Haraka runs as must be able to read it'
const NOT_ASKED = 'relaying sessions get 451 until that is corrected and Haraka restarted'
const STAYS = 'the previous configuration stays in effect'

/** The ini file of one process: read at its start, and again whenever it changes. */
export class IniFile {
  /** In effect at the start. */
  readonly config: Config
  /** Whether `[redis]` has no mistake: with one, the wrong Redis could be asked. */
  readonly redisUsable: boolean
  private readonly started: Settings
  private now: Settings
  private time = 0

  /** @param changed gets the configuration that is in effect from then on. */
  constructor(
    private readonly plugin: Plugin,
    private readonly changed: (config: Config) => void,
  ) {
    const { config, redisUsable, settings } = this.readFirst()
    this.config = config
    this.redisUsable = redisUsable
    this.started = this.now = settings
    this.warnOfAlerts(config)
  }

  /** What is in effect, key by key. */
  get settings(): Settings {
    return this.now
  }

  /** When the file that is in effect was changed, in ms since the epoch; 0: there is none. */
  get changedAt(): number {
    return this.time
  }

  private readFirst(): ParsedConfig {
    const { plugin, directory } = this
    // Haraka's reader watches the file. Without a file it may have values from elsewhere (`smtp.json`).
    const elsewhere = plugin.config.get(CONFIG_FILE, () => this.reload()) as RawIni
    try {
      const file = readConfigFile(directory, { advice: READABLE })
      const parsed = file ?? parseConfig(elsewhere, directory)
      this.time = file?.changed ?? 0
      this.tell('logcrit', parsed.errors)
      if (file) this.warn(file)
      if (!parsed.redisUsable) {
        plugin.logcrit(`${CONFIG_FILE}: [redis] is wrong, so Redis is not asked: ${NOT_ASKED}`)
      }
      return parsed
    } catch (error) {
      plugin.logcrit(
        `${messageOf(error)}; all keys have their defaults, and Redis is not asked: ${NOT_ASKED}`,
      )
      return { ...parseConfig({}, directory), redisUsable: false }
    }
  }

  /** Called by Haraka's watcher, where a throw would end the process. */
  private reload(): void {
    const { plugin, directory, started, now } = this
    try {
      const file = readConfigFile(directory, { running: { started, now }, advice: READABLE })
      if (file) this.tell('logerror', file.errors)
      if (!file) plugin.logerror(`${CONFIG_FILE}: is gone; ${STAYS}`)
      else if (file.isEmpty) plugin.logerror(`${CONFIG_FILE}: sets no key; ${STAYS}`)
      else this.apply(file)
    } catch (error) {
      plugin.logerror(`${messageOf(error)}; ${STAYS}`)
    }
  }

  private apply(file: ConfigFile): void {
    const { plugin } = this
    const { config, errors, restart, settings } = file
    this.now = settings
    this.time = file.changed
    this.changed(config)
    this.warn(file)
    this.warnOfAlerts(config)
    // A process that does not ask Redis starts to ask only after a restart, even if the values equal its own.
    const isMended = !this.redisUsable && file.redisUsable
    for (const name of new Set([...(isMended ? ['[redis]'] : []), ...restart])) {
      plugin.logwarn(`${CONFIG_FILE}: ${name} has changed: restart Haraka to use it`)
    }
    if (errors.length === 0) plugin.lognotice(`${CONFIG_FILE}: in effect`)
    else plugin.logerror(`${CONFIG_FILE}: in effect, except for what the lines above name`)
  }

  private tell(level: 'logcrit' | 'logerror', errors: ParsedConfig['errors']): void {
    for (const { line, message, instead } of errors) {
      const text = `${message}; until you correct it, ${instead}`
      this.plugin[level](atLine(CONFIG_FILE, { line, message: text }))
    }
  }

  private warn({ lines }: ConfigFile): void {
    for (const warning of lines.warnings) this.plugin.logwarn(atLine(CONFIG_FILE, warning))
  }

  private warnOfAlerts({ alerts, alertChannels }: Config): void {
    const warnings = [...alertWarnings(alerts), ...channelWarnings(alertChannels)]
    for (const { message, advice } of warnings) {
      this.plugin.logwarn(`${CONFIG_FILE}: ${message}; ${advice}`)
    }
  }

  private get directory(): string {
    return configDirectory(this.plugin)
  }
}

/** The directory of the operator's configuration files. */
export function configDirectory(plugin: Plugin): string {
  return plugin.config.overrides_path ?? plugin.config.root_path
}

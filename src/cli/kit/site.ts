import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { InputError } from '../../base/errors'
import type { Config, SectionName } from '../../process/config'
import { CONFIG_FILE, loadConfig, type LoadedConfig } from '../../process/config-file'
import { keyPrefix } from '../../store/keys'
import type { RedisSettings } from '../../store/settings'
import { findConfigDirectory, meantBelow } from './config-directory'
import type { GlobalOptions } from './global-options'
import type { Io } from './io'
import { NOT_IN_URL, redisFromUrl } from './redis-url'

/** Mistakes of the ini file that are told one by one. */
const MOST_TOLD = 3

/** The configuration that the global options choose: where it is, what is right in it, and what is told of the rest. */
export class Site {
  private found:
    { readonly directory: string | undefined; readonly loaded: LoadedConfig } | undefined
  /** The mistakes in the ini file have been told. */
  private isTold = false

  /** @param note prints a line for the person. */
  constructor(
    private readonly options: GlobalOptions,
    private readonly io: Io,
    private readonly note: (text: string) => void,
  ) {}

  /** Haraka's config directory; `undefined` with `--redis` alone. @throws {InputError} as {@link findConfigDirectory}. */
  get directory(): string | undefined {
    return this.found ? this.found.directory : findConfigDirectory(this.options, this.io)
  }

  /** The ini file. @throws {InputError} it may not be read, or is no text. */
  get loaded(): LoadedConfig {
    const { directory } = this
    this.found ??= { directory, loaded: loadConfig(directory) }
    return this.found.loaded
  }

  /**
   * The configuration. Where its file has a mistake, or is not there, a note says what is in effect instead: this is for
   * what is shown. What changes something takes its settings from {@link needed}.
   *
   * @throws {InputError} as {@link redis} and {@link loaded}.
   */
  config(): Config {
    const redis = this.redis()
    if (!this.isTold) this.tell()
    this.isTold = true
    return { ...this.loaded.config, redis }
  }

  /**
   * The sections that the outcome of a command depends on. To be called before anything is written.
   *
   * @throws {FileMistakes} with the mistakes in these sections.
   */
  needed<S extends SectionName>(...sections: readonly S[]): Pick<Config, S> {
    this.redis()
    return this.loaded.needed(...sections)
  }

  /**
   * Where Redis is.
   *
   * @throws {FileMistakes} `[redis]` has a mistake that the options do not make up for: it could be another Redis.
   */
  redis(): RedisSettings {
    const { redis, prefix } = this.options
    const { config } = this.loaded
    const doubtful = this.loaded.errorsIn('redis').filter(({ keys }) => !this.isReplaced(keys))
    if (doubtful.length > 0) throw this.loaded.mistakes(doubtful)
    const chosen = redis === undefined ? config.redis : redisFromUrl(redis, config.redis)
    return prefix === undefined ? chosen : { ...chosen, prefix: keyPrefix(prefix, '--prefix ') }
  }

  /** @throws {InputError} `--config` names the directory above that with the ini file: Redis could be another one. */
  assertOwn(): void {
    const { directory } = this
    const question = directory === undefined ? undefined : meantBelow(directory)
    if (question === undefined) return
    throw new InputError(`${directory} has no ${CONFIG_FILE}: ${question} Nothing was written`)
  }

  /** Whether the options replace these keys of `[redis]`. @param keys of a mistake; empty: it may be about any. */
  private isReplaced(keys: readonly string[]): boolean {
    const { redis, prefix } = this.options
    if (redis === undefined) return false
    const stay = NOT_IN_URL.filter((key) => key !== 'prefix' || prefix === undefined)
    return keys.length === 0 ? prefix !== undefined : !keys.some((key) => stay.includes(key))
  }

  private tell(): void {
    const { loaded, directory } = this
    if (directory === undefined) {
      this.note('--redis without --config: the shipped defaults are in effect for the rest')
      return
    }
    if (loaded.note !== undefined) {
      this.note([loaded.note, meantBelow(directory)].filter(Boolean).join('; '))
    }
    const ofRedis = new Set(loaded.errorsIn('redis'))
    for (const error of loaded.errors.slice(0, MOST_TOLD)) {
      const instead = ofRedis.has(error) ? '--redis counts' : error.instead
      this.note(`${loaded.located(error)} (here ${instead})`)
    }
    const more = loaded.errors.length - MOST_TOLD
    if (more > 0) this.note(`and ${count(more, 'more mistake')}: ${tenantctl('doctor')} shows all`)
  }
}

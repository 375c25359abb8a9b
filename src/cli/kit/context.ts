import type { Command } from 'commander'
import { InputError, RefusedError } from '../../base/errors'
import { tenantctl } from '../../base/command-line'
import { count } from '../../base/count'
import { clean } from '../../base/safe-text'
import type { Config, SectionName } from '../../process/config'
import { CONFIG_FILE, loadConfig, type LoadedConfig } from '../../process/config-file'
import { actorText, osActor, redisUser } from '../../records/actor'
import { placeOf } from '../../store/connection'
import { keyPrefix } from '../../store/keys'
import type { RedisSettings } from '../../store/settings'
import type { Store } from '../../store/store'
import { actor } from './actor'
import { isLongList, mostRowsOf } from './all-rows'
import { findConfigDirectory, meantBelow } from './config-directory'
import { globalOptionsOf, type GlobalOptions } from './global-options'
import { linesOf, type Io } from './io'
import { inLocalTime } from './local-time'
import { Output } from './output'
import { Pager, pagerOf } from './pager'
import { NOT_IN_URL, redisFromUrl } from './redis-url'
import { assertWhole, assertWritable } from './registry-guard'
import { withStore } from './store'

/** Mistakes of the ini file that are told one by one. */
const MOST_TOLD = 3

/** What a command works with, once the global options are known. */
export class Context {
  readonly out: Output
  private readonly answers: AsyncGenerator<string, void>
  private theLoaded: LoadedConfig | undefined
  /** The mistakes in the ini file have been told. */
  private isTold = false

  constructor(
    readonly io: Io,
    private readonly options: GlobalOptions,
    mostRows = Infinity,
  ) {
    this.out = new Output(io, { ...options, mostRows })
    this.answers = linesOf(io)
  }

  /**
   * The name that the records keep for a change.
   *
   * @throws {InputError}
   */
  get by(): string {
    return actor(this.options.by, this.io.env)
  }

  /** Haraka's config directory; `undefined` with `--redis` alone. @throws {InputError} as {@link findConfigDirectory}. */
  get configDirectory(): string | undefined {
    return findConfigDirectory(this.options, this.io)
  }

  /** The ini file. @throws {InputError} it may not be read, or is no text. */
  get loaded(): LoadedConfig {
    this.theLoaded ??= loadConfig(this.configDirectory)
    return this.theLoaded
  }

  /**
   * The configuration. Where its file has a mistake, or is not there, a note on stderr says what is in effect instead:
   * this is for what is shown. What changes something takes its settings from {@link needed}.
   *
   * @throws {InputError} `[redis]` has a mistake that `--redis` does not make up for; see also {@link loaded}.
   */
  config(): Config {
    const redis = this.redis()
    if (!this.isTold) this.tellMistakes()
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
   * Runs `use`, which only reads, with the configuration and a connected store. Where Redis has lost the registry, a
   * note on stderr says that Haraka uses another one.
   *
   * @throws {InputError} as {@link config}; {@link StoreError}: Redis cannot be reached.
   * @throws {SchemaError} a later version wrote the registry.
   */
  async connected<T>(use: (store: Store, config: Config) => Promise<T>): Promise<T> {
    return this.guarded(async (store, snapshot) => {
      try {
        await assertWhole(store, snapshot)
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
        this.note(error.message)
      }
    }, use)
  }

  /**
   * The same for commands that need the complete registry, and write nothing.
   *
   * @throws {RefusedError} Redis has lost the registry, or holds a part of it.
   */
  async unharmed<T>(use: (store: Store, config: Config) => Promise<T>): Promise<T> {
    return this.guarded(assertWhole, use)
  }

  /**
   * The same for commands that write; the registry has an epoch then. They get no configuration: see {@link needed}.
   *
   * @throws as {@link unharmed}; {@link InputError} as {@link assertSite}.
   * @throws {RefusedError} Redis holds no registry, and the person does not want to begin one.
   */
  async writing<T>(use: (store: Store) => Promise<T>): Promise<T> {
    this.assertSite()
    const { redis } = this.config()
    return this.guarded(
      (store, snapshot) => assertWritable(store, snapshot, () => this.mayBegin(redis)),
      async (store) => {
        await this.sign(store, redis)
        return use(store)
      },
    )
  }

  /**
   * Names who changes something over this connection, for the audit trail. Every command that writes calls it first.
   *
   * @throws {InputError} as {@link assertSite}.
   */
  async sign(store: Store, { username }: RedisSettings): Promise<void> {
    this.assertSite()
    this.io.stdout.mustArrive('tenantctl audit shows what was changed')
    store.actor = actorText({
      os: osActor(this.io.env),
      redis: await redisUser(store.client, username),
      note: this.options.by?.trim() ?? '',
    })
  }

  private async guarded<T>(
    assertFit: (store: Store, snapshot: string) => Promise<unknown>,
    use: (store: Store, config: Config) => Promise<T>,
  ): Promise<T> {
    const config = this.config()
    return withStore(config.redis, async (store) => {
      await assertFit(store, config.outage.snapshot)
      return use(store, config)
    })
  }

  /** Says where a new registry begins. */
  noteBeginning(redis: RedisSettings): void {
    this.note(`${placeOf(redis)} holds no registry: this command begins one there`)
  }

  /** Asks at a terminal whether it may begin: it may be the wrong Redis. */
  private async mayBegin(redis: RedisSettings): Promise<void> {
    this.noteBeginning(redis)
    if (!this.io.asks || (await this.confirmed('Is that the right place? [y/N] '))) return
    throw new RefusedError(
      'nothing was written: --config DIR or --redis URL, and --prefix, name another place',
    )
  }

  /** @throws {InputError} `--config` names the directory above that with the ini file: Redis could be another one. */
  assertSite(): void {
    const directory = this.configDirectory
    const question = directory === undefined ? undefined : meantBelow(directory)
    if (question === undefined) return
    throw new InputError(`${directory} has no ${CONFIG_FILE}: ${question} Nothing was written`)
  }

  /** Prints one line on stderr that is not an error. */
  note(text: string): void {
    this.io.stderr.write(`tenantctl: ${this.shown(text)}\n`)
  }

  /**
   * Asks a question at the terminal; `y` or `yes` confirms.
   *
   * @throws {OutputError} the output before the question could not be printed.
   */
  async confirmed(question: string): Promise<boolean> {
    return /^y(?:es)?$/i.test(await this.answer(question))
  }

  /** Asks a question at the terminal. @throws {OutputError} as {@link confirmed}. */
  async answer(question: string): Promise<string> {
    await this.io.stdout.flushed()
    this.io.stderr.write(this.shown(question))
    const { value } = await this.answers.next()
    return (value ?? '').trim()
  }

  private shown(text: string): string {
    return this.options.local ? inLocalTime(clean(text)) : clean(text)
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

  /** Whether the options replace these keys of `[redis]`. @param keys of a mistake; empty: it may be about any. */
  private isReplaced(keys: readonly string[]): boolean {
    const { redis, prefix } = this.options
    if (redis === undefined) return false
    const stay = NOT_IN_URL.filter((key) => key !== 'prefix' || prefix === undefined)
    return keys.length === 0 ? prefix !== undefined : !keys.some((key) => stay.includes(key))
  }

  private tellMistakes(): void {
    const { loaded, configDirectory } = this
    if (configDirectory === undefined) {
      this.note('--redis without --config: the shipped defaults are in effect for the rest')
      return
    }
    const meant = meantBelow(configDirectory)
    if (loaded.note !== undefined) this.note([loaded.note, ...(meant ? [meant] : [])].join('; '))
    const ofRedis = new Set(loaded.errorsIn('redis'))
    for (const error of loaded.errors.slice(0, MOST_TOLD)) {
      const instead = ofRedis.has(error) ? '--redis counts' : error.instead
      this.note(`${loaded.located(error)} (here ${instead})`)
    }
    const more = loaded.errors.length - MOST_TOLD
    if (more > 0) this.note(`and ${count(more, 'more mistake')}: ${tenantctl('doctor')} shows all`)
  }
}

/**
 * Finds the global options from any command.
 *
 * @throws {InputError} `--by` is not an accepted name; commands that only read check it too.
 */
export function contextOf(io: Io, command: Command): Context {
  const options = globalOptionsOf(command)
  if (options.by !== undefined) actor(options.by, io.env)
  const pager = pagerOf(options, io)
  const follows = command.getOptionValue('follow') === true
  if (pager !== undefined && isLongList(command) && !follows) {
    io.stdout.through(new Pager(pager, io.env))
  }
  return new Context(io, options, mostRowsOf(command))
}

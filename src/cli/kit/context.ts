import type { Command } from 'commander'
import { RefusedError } from '../../base/errors'
import { clean } from '../../base/safe-text'
import type { Config, SectionName } from '../../process/config'
import { actorText, osActor, redisUser } from '../../records/actor'
import { placeOf } from '../../store/connection'
import type { RedisSettings } from '../../store/settings'
import type { Store } from '../../store/store'
import { actor } from './actor'
import { isLongList, mostRowsOf } from './all-rows'
import { globalOptionsOf, type GlobalOptions } from './global-options'
import { linesOf, type Io } from './io'
import { inLocalTime } from './local-time'
import { Output, type Manner } from './output'
import { Pager, pagerOf } from './pager'
import { assertWhole, assertWritable } from './registry-guard'
import { Site } from './site'
import { withStore } from './store'

/** What a command works with, once the global options are known. */
export class Context {
  readonly out: Output
  readonly site: Site
  private readonly answers: AsyncGenerator<string, void>

  constructor(
    readonly io: Io,
    private readonly options: GlobalOptions,
    mostRows = Infinity,
  ) {
    this.out = new Output(io, { ...options, mostRows })
    this.site = new Site(options, io, (text) => this.note(text))
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

  /** Haraka's config directory; `undefined` with `--redis` alone. @throws {InputError} as {@link Site}. */
  get configDirectory(): string | undefined {
    return this.site.directory
  }

  /** How the command line asks for output. */
  get manner(): Manner {
    return this.options
  }

  /** {@link Site.config} */
  config(): Config {
    return this.site.config()
  }

  /** {@link Site.needed} */
  needed<S extends SectionName>(...sections: readonly S[]): Pick<Config, S> {
    return this.site.needed(...sections)
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
   * @throws as {@link unharmed}; {@link InputError} as {@link Site.assertOwn}.
   * @throws {RefusedError} Redis holds no registry, and the person does not want to begin one.
   */
  async writing<T>(use: (store: Store) => Promise<T>): Promise<T> {
    this.site.assertOwn()
    const { redis } = this.config()
    return this.guarded(
      (store, snapshot) => assertWritable(store, snapshot, () => this.mayBegin(redis)),
      async (store) => use(await this.signed(store, redis)),
    )
  }

  /**
   * The store in the hands of the person who runs the command. Every command that writes uses it.
   *
   * @throws {InputError} as {@link Site.assertOwn}.
   */
  async signed(store: Store, { username }: RedisSettings): Promise<Store> {
    this.site.assertOwn()
    this.io.stdout.mustArrive('tenantctl audit shows what was changed')
    return store.as(
      actorText({
        os: osActor(this.io.env),
        redis: await redisUser(store.client, username),
        note: this.options.by?.trim() ?? '',
      }),
    )
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

import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../../process/config'
import { actorText, osActor, redisUser } from '../../records/actor'
import { hasConfigFile, loadConfig } from '../../process/config-file'
import { InputError, RefusedError } from '../../base/errors'
import type { RedisSettings } from '../../store/settings'
import { keyPrefix } from '../../store/keys'
import { clean } from '../../base/safe-text'
import type { Store } from '../../store/store'
import { actor } from './actor'
import { mostRowsOf } from './all-rows'
import { globalOptionsOf, type GlobalOptions } from './global-options'
import { linesOf, type Io } from './io'
import { assertOurs } from './own-directory'
import { Output } from './output'
import { redisFromUrl } from './redis-url'
import { assertWhole, assertWritable } from './registry-guard'
import { withStore } from './store'

/** What a command works with, once the global options are known. */
export class Context {
  readonly out: Output
  private readonly answers: AsyncGenerator<string, void>

  constructor(
    readonly io: Io,
    private readonly options: GlobalOptions,
    mostRows?: number,
  ) {
    this.out = new Output(io, options.json === true, mostRows)
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

  /**
   * Haraka's config directory: `--config`, else `$HARAKA/config`, else `./config`; one with our ini file is
   * preferred. `undefined` with `--redis` alone.
   *
   * @throws {InputError} where there is none, or where `--config` is not given and other users could change `./config`.
   */
  get configDirectory(): string | undefined {
    const { config, redis } = this.options
    if (config !== undefined) {
      const directory = path.resolve(this.io.cwd, config)
      if (isDirectory(directory)) return directory
      throw new InputError(
        `--config "${config}" is not a directory: name Haraka's config directory`,
      )
    }
    if (redis !== undefined) return undefined
    const { cwd, env } = this.io
    const ofHaraka = env['HARAKA'] ? path.resolve(cwd, env['HARAKA'], 'config') : undefined
    const places = [...(ofHaraka ? [ofHaraka] : []), path.resolve(cwd, 'config')]
    const candidates = places.filter(isDirectory)
    const directory = candidates.find(hasConfigFile) ?? candidates[0]
    if (directory !== undefined) {
      if (directory !== ofHaraka) assertOurs(directory)
      return directory
    }
    throw new InputError(
      `there is no ${places.join(' and no ')}: name Haraka's config directory with --config DIR, or Redis with --redis URL`,
    )
  }

  /**
   * The configuration; a note on stderr says where the shipped defaults are in effect.
   *
   * @throws {InputError} with all mistakes in it.
   */
  config(): Config {
    const directory = this.configDirectory
    const config = loadConfig(directory, (text) => this.note(text))
    if (directory === undefined) {
      this.note('--redis without --config: the shipped defaults are in effect for the rest')
    }
    return { ...config, redis: this.redis(config.redis) }
  }

  /**
   * Runs `use`, which only reads, with the configuration and a connected store. Where Redis has lost the registry, a
   * note on stderr says that Haraka uses another one.
   *
   * @throws {InputError} a broken configuration; {@link StoreError}: Redis cannot be reached.
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
   * The same for commands that write; the registry has an epoch then.
   *
   * @throws as {@link unharmed}.
   */
  async writing<T>(use: (store: Store, config: Config) => Promise<T>): Promise<T> {
    return this.guarded(assertWritable, async (store, config) => {
      await this.sign(store, config.redis)
      return use(store, config)
    })
  }

  /** Names who changes something over this connection, for the audit trail. Every command that writes calls it first. */
  async sign(store: Store, { username }: RedisSettings): Promise<void> {
    this.io.stdout.mustArrive('tenantctl audit shows what was changed')
    store.actor = actorText({
      os: osActor(this.io.env),
      redis: await redisUser(store.client, username),
      note: this.options.by?.trim() ?? '',
    })
  }

  private async guarded<T>(
    assertFit: (store: Store, snapshot: string) => Promise<void>,
    use: (store: Store, config: Config) => Promise<T>,
  ): Promise<T> {
    const config = this.config()
    return withStore(config.redis, async (store) => {
      await assertFit(store, config.outage.snapshot)
      return use(store, config)
    })
  }

  /** Prints one line on stderr that is not an error. */
  note(text: string): void {
    this.io.stderr.write(`tenantctl: ${clean(text)}\n`)
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
    this.io.stderr.write(clean(question))
    const { value } = await this.answers.next()
    return (value ?? '').trim()
  }

  private redis(settings: RedisSettings): RedisSettings {
    const { redis, prefix } = this.options
    const chosen = redis === undefined ? settings : redisFromUrl(redis, settings)
    return prefix === undefined ? chosen : { ...chosen, prefix: keyPrefix(prefix, '--prefix ') }
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
  return new Context(io, options, mostRowsOf(command))
}

function isDirectory(directory: string): boolean {
  return existsSync(directory) && statSync(directory).isDirectory()
}

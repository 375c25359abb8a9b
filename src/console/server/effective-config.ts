import { grouped } from '../../base/lists'
import { isNamed } from '../../config/section'
import { toPause, withPause } from '../../enforcement/in-effect'
import { readPause } from '../../enforcement/pause'
import type { NodeConfig } from '../../nodes/node'
import { answering, readOverview } from '../../nodes/overview'
import { parseConfig, SECTIONS, type Config, type SectionName } from '../../process/config'
import { NamesElsewhere } from '../../registry/settings'
import type { Store } from '../../store/store'

/** How long what was read is good, in ms. */
const FRESH = 5000

/** The sections that are the console's own: what processes have there is about theirs. */
const OWN: ReadonlySet<string> = new Set([SECTIONS.redis.name, SECTIONS.console.name])

/** The key of which processes report the number of names. */
const NEVER = { section: SECTIONS.registry.name, key: 'never_register_file' }

/** What was reported names no file here. */
const NO_DIRECTORY = '/nonexistent'

/** What the processes that handle mail have in effect: the console's own ini file need not say it. */
export class EffectiveConfig {
  private last: { readonly at: number; readonly config: Promise<Config> } | undefined

  constructor(
    private readonly store: Store,
    private readonly own: Config,
  ) {}

  /** @throws what ioredis throws. */
  get(): Promise<Config> {
    if (!this.last || performance.now() - this.last.at > FRESH) {
      const config = this.read()
      this.last = { at: performance.now(), config }
      // Who asked is told.
      config.catch(() => (this.last = undefined))
    }
    return this.last.config
  }

  private async read(): Promise<Config> {
    const [{ nodes, configs }, pause] = await Promise.all([
      readOverview(this.store),
      readPause(this.store),
    ])
    const reported = grouped(answering(nodes), ({ node }) => node.config.digest)
      .toSorted(([, a], [, b]) => b.length - a.length)
      .map(([digest]) => configs.get(digest))
      .find((config) => config !== undefined)
    return withPause(reported ? over(this.own, reported) : this.own, toPause(pause))
  }
}

/** The own settings, and over them what processes have reported of what all hosts have alike. */
function over(own: Config, reported: NodeConfig): Config {
  const { [NEVER.section]: registry = {}, ...others } = reported
  const { [NEVER.key]: names, ...rest } = registry
  const { config: theirs } = parseConfig({ ...others, [NEVER.section]: rest }, NO_DIRECTORY)
  const both = { ...own } as Config & Record<string, unknown>
  for (const [property, section] of Object.entries(SECTIONS)) {
    if (OWN.has(section.name) || isNamed(section)) continue
    const [mine, other] = [own, theirs].map((each) => each[property as SectionName] as object)
    // Of a secret only a digest is reported.
    const taken = section.keys.filter(
      ({ reach, secret }) => reach === 'site' && secret === undefined,
    )
    const isTaken = new Set(taken.map((key) => key.property))
    const values = Object.entries(other!).filter(([name]) => isTaken.has(name))
    both[property] = { ...mine, ...Object.fromEntries(values) }
  }
  const { neverRegister } = own.registry
  const isKnown = names === undefined || neverRegister.size > 0
  return {
    ...both,
    registry: { neverRegister: isKnown ? neverRegister : new NamesElsewhere(names) },
  }
}

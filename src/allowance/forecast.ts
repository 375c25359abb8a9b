/** A window as its ring holds it (see `allowance/lua/include/ring.lua`). */
export interface Ring {
  /** ms */
  readonly window: number
  readonly limit: number
  /** The bucket that counts now. */
  readonly newest: number
  /** Recipients of each bucket that holds any, the oldest first. */
  readonly buckets: readonly (readonly [bucket: number, count: number])[]
}

/** When a recipient will exceed a limit, if recipients keep coming at the pace of the last minutes. */
export interface Forecast {
  /** The window of that limit, in ms. */
  readonly window: number
  readonly limit: number
  /** ms since the epoch, server time; now: the next recipient will, whatever the pace. */
  readonly at: number
}

const BUCKETS = 61
/** The pace is measured over this span, in ms. */
const RECENT = 600_000
/** Recipients count as if they had come within at least this span, in ms: a few at once are no pace. */
const LEAST = 300_000
/** Fewer recipients are no pace. */
const FEWEST = 3
/** Below this share of a limit a pace says nothing: it rarely lasts that long. */
const LEAST_SHARE = 0.1

/**
 * Which window will be full first at the pace of the last ten minutes, and when; now where one is full. Recipients leave
 * their windows meanwhile: `undefined` also where no window ever fills at this pace.
 *
 * @param at now, in ms of the server's clock.
 * @param afterwards other limits take effect at a time, in ms: the windows by these.
 */
export function forecast(
  at: number,
  rings: readonly Ring[],
  afterwards?: { readonly from: number; readonly rings: readonly Ring[] },
): Forecast | undefined {
  const found = earliest(at, rings, at)
  if (!afterwards || (found && found.at < afterwards.from)) return found
  return earliest(at, afterwards.rings, afterwards.from)
}

/** The earliest time from `from` on. */
function earliest(at: number, rings: readonly Ring[], from: number): Forecast | undefined {
  // A limit of 0 restricts no tenant.
  const limits = rings.filter(({ limit }) => limit > 0)
  const past = from === at && limits.find((ring) => usedIn(ring) >= ring.limit)
  if (past) return { window: past.window, limit: past.limit, at }
  const interval = recentInterval(at, rings)
  if (interval === undefined) return undefined
  return limits
    .filter((ring) => usedIn(ring) >= ring.limit * LEAST_SHARE)
    .map((ring) => full(at, ring, interval, from))
    .filter((each) => each !== undefined)
    .sort((a, b) => a.at - b.at)[0]
}

/** ms from one recipient to the next, by the shortest window that reaches back far enough. */
export function recentInterval(at: number, rings: readonly Ring[]): number | undefined {
  const byWindow = rings.toSorted((a, b) => a.window - b.window)
  const ring = byWindow.find(({ window }) => window >= RECENT) ?? byWindow.at(-1)
  if (!ring) return undefined
  const width = widthOf(ring)
  const recent = ring.buckets.filter(([bucket]) => bucket >= Math.floor((at - RECENT) / width))
  const count = recent.reduce((sum, [, each]) => sum + each, 0)
  if (count < FEWEST) return undefined
  return Math.max(LEAST, at - recent[0]![0] * width) / count
}

/** Adds recipients at equal intervals, bucket by bucket, until one exceeds the limit at `from` or later. */
function full(at: number, ring: Ring, interval: number, from: number): Forecast | undefined {
  const { window, limit, newest } = ring
  const width = widthOf(ring)
  const counts = new Map(ring.buckets)
  let used = usedIn(ring)
  let come = 0
  // After that, every bucket that expires is as full as the new one.
  for (let bucket = newest; bucket <= newest + 2 * BUCKETS; bucket++) {
    if (bucket > newest) used -= counts.get(bucket - BUCKETS) ?? 0
    const before = Math.ceil(((bucket + 1) * width - at) / interval) - 1
    const coming = Math.max(0, before - come)
    const exceeding = come + Math.max(0, limit - used) + 1
    const first = Math.max(exceeding, Math.ceil((from - at) / interval))
    if (first <= come + coming) return { window, limit, at: Math.round(at + first * interval) }
    counts.set(bucket, (counts.get(bucket) ?? 0) + coming)
    used += coming
    come += coming
  }
  return undefined
}

function usedIn({ buckets }: Ring): number {
  return buckets.reduce((sum, [, count]) => sum + count, 0)
}

function widthOf({ window }: Ring): number {
  return Math.ceil(window / 60)
}

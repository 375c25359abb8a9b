import { randomFrom } from '../support/load'
import { pick } from './load'

/** Faults of one lane run in sequence; lanes run in parallel. */
export type Lane = 'haraka' | 'redis' | 'operator' | 'desk'

/** The scheduling of a kind of fault. */
export interface Planned {
  readonly lane: Lane
  /** Its frequency relative to the others of its lane. */
  readonly weight: number
  /** Its shortest duration, in ms; a fault that does not fit into the run is left out. */
  readonly atLeast: number
}

/** A scheduled fault. */
export interface Step {
  readonly kind: string
  /** ms after the end of the previous one in its lane. */
  readonly after: number
  /** From 0 to below 1: selects the target, duration or amount. */
  readonly choice: number
}

export type Schedule = Readonly<Record<Lane, readonly Step[]>>

export const LANES: readonly Lane[] = ['haraka', 'redis', 'operator', 'desk']
/** The longest pause between two faults of a lane, in ms; Redis needs times without trouble. */
const REST: Readonly<Record<Lane, number>> = {
  haraka: 1200,
  redis: 4000,
  operator: 1200,
  desk: 1200,
}

/** The faults of a run of this many ms, always the same for a seed. Each lane has its own kinds. */
export function scheduleOf(
  kinds: Readonly<Record<string, Planned>>,
  seed: number,
  length: number,
): Schedule {
  const random = randomFrom(seed)
  return Object.fromEntries(
    LANES.map((lane) => {
      const ours = Object.entries(kinds).filter(
        ([, kind]) => kind.lane === lane && kind.atLeast <= length,
      )
      const weights = Object.fromEntries(ours.map(([name, { weight }]) => [name, weight]))
      const steps: Step[] = []
      for (let at = 0; ours.length > 0 && at < length;) {
        const step = {
          kind: pick(weights, random()),
          after: random() * REST[lane],
          choice: random(),
        }
        steps.push(step)
        at += step.after + kinds[step.kind]!.atLeast
      }
      return [lane, steps]
    }),
  ) as unknown as Schedule
}

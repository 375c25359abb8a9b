import { randomFrom } from '../support/load'
import { pick } from './load'

/** Faults of one lane come one after the other; lanes go on at the same time. */
export type Lane = 'haraka' | 'redis' | 'operator' | 'desk'

/** What a schedule knows of a kind of fault. */
export interface Planned {
  readonly lane: Lane
  /** How often it comes, against the others of its lane. */
  readonly weight: number
  /** How long it takes at least, in ms; one that does not fit into the run does not come. */
  readonly atLeast: number
}

/** One fault to come. */
export interface Step {
  readonly kind: string
  /** ms after the one before it in its lane has ended. */
  readonly after: number
  /** From 0 to below 1: what the fault makes of it (whom, how long, how far). */
  readonly choice: number
}

export type Schedule = Readonly<Record<Lane, readonly Step[]>>

export const LANES: readonly Lane[] = ['haraka', 'redis', 'operator', 'desk']
/** The longest rest between two faults of a lane, in ms; with Redis there must be times without trouble. */
const REST: Readonly<Record<Lane, number>> = {
  haraka: 1200,
  redis: 4000,
  operator: 1200,
  desk: 1200,
}

/** The faults of a run of so many ms; always the same ones for a seed. Each lane begins with a kind of its own. */
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

import type { Client } from '../src/store/store'
import { withRedisCpu } from './redis-cpu'
import type { Row } from './row'
import { median } from './stats'

/** Who makes calls, and what these brought so far. */
export interface Contender {
  readonly what: string
  /** How it counts and is asked, for who reads its figure. */
  readonly how?: string
  /** In a batch. */
  readonly calls: number
  /** Makes so many calls and returns how many there were a second. */
  readonly run: (calls: number) => Promise<number>
  /** Of each batch. */
  readonly rates: number[]
  /** µs of Redis a call, of each batch. */
  readonly cpu: number[]
}

export function contender(who: Omit<Contender, 'rates' | 'cpu'>): Contender {
  return { ...who, rates: [], cpu: [] }
}

export async function measureBatch(
  { calls, run, rates, cpu }: Contender,
  client: Client,
): Promise<void> {
  const measured = await withRedisCpu(client, () => run(calls))
  rates.push(measured.result)
  cpu.push(measured.cpu / calls)
}

export function rateRow({ what, how, rates, cpu }: Contender): Row {
  const perSecond = median(rates)
  const us = median(cpu)
  const details = [
    `${rates.length} rounds ${rounded(Math.min(...rates))} to ${rounded(Math.max(...rates))}`,
    // Who does not use this Redis leaves it next to nothing to do.
    us >= 1 ? `CPU of Redis ${us.toFixed(1)} µs a call` : '',
    how ?? '',
  ]
  return {
    what,
    figure: `${rounded(perSecond)} /s`,
    detail: details.filter(Boolean).join('; '),
    numbers: { perSecond, us, rates },
  }
}

function rounded(figure: number): string {
  return Math.round(figure).toLocaleString('en-US')
}

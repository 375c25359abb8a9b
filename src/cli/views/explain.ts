import type { Explanation } from '../../explain/explain'
import type { Tone } from '../kit/output'

export const VERDICT_TONES: Readonly<Record<Explanation['verdict'], Tone | undefined>> = {
  pass: 'good',
  charge: 'good',
  refuse: 'bad',
  tempfail: 'warn',
  ignore: undefined,
}

/** `refuse: 550 5.7.750 …` */
export function verdictText({ verdict, reply }: Explanation): string {
  return reply === null ? verdict : `${verdict}: ${reply}`
}

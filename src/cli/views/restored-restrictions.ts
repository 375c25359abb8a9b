import type { RestrictionDifferences } from '../../backup/restrictions'
import type { Context } from '../kit/context'

/** Whether restrictions that only Haraka knows stay or are lifted. */
export type RestrictionsChoice = 'keep' | 'file'

const MOST_NAMED = 20

/** Asks which restrictions stay. Without a terminal, or an answer, all do. */
export async function askWhichRestrictions(
  context: Context,
  { known }: RestrictionDifferences,
): Promise<RestrictionsChoice> {
  if (known.length === 0 || !context.io.asks) return 'keep'
  const question = `Haraka knows restrictions that the file does not have: ${named(known)}. Keep them? [Y/n] `
  return /^no?$/i.test(await context.answer(question)) ? 'file' : 'keep'
}

/** Says on stderr where the restrictions after the restore are not those of before, or not those of the file. */
export function tellRestrictions(
  context: Context,
  { inFile, inRedis, known }: RestrictionDifferences,
  choice: RestrictionsChoice,
): void {
  const tell = (what: string, tenants: readonly string[]): void => {
    if (tenants.length > 0) context.note(`${what}: ${named(tenants)}`)
  }
  tell('restricted by the file; where that was lifted since, unblock again', inFile)
  tell('restricted in Redis and not in the file; stays', inRedis)
  tell(
    choice === 'keep'
      ? 'restricted as Haraka knows and not in the file; Haraka puts it back'
      : 'no longer restricted, since the file has no restriction',
    known,
  )
}

function named(tenants: readonly string[]): string {
  const more = tenants.length - MOST_NAMED
  return `${tenants.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

import type { Mark } from '../records/token'

/** What changes besides tenants, and has a mark of its own. */
export const CONNECTORS = '@connectors'
export const PAUSE = '@pause'

/** Asks all processes whether they have changes in force. */
export interface Question {
  /** Names the channel of the answers: see `Keys.confirmations`. */
  readonly confirm: string
  /** A tenant, {@link CONNECTORS} or {@link PAUSE} → its last change that must be in force. */
  readonly marks: ReadonlyMap<string, Mark>
}

/** The answer of one process: `why` it does not have them in force; absent: it has. */
export interface Answer {
  readonly process: string
  readonly why?: string
}

/** A message on the channel of changes; a version that does not know it checks the registry. */
export function questionText({ confirm, marks }: Question): string {
  return JSON.stringify({ registry: 'confirm', confirm, marks: Object.fromEntries(marks) })
}

/** @returns `undefined`: it is none. */
export function parseQuestion(message: Readonly<Record<string, unknown>>): Question | undefined {
  const { registry, confirm, marks } = message
  // The id becomes a part of a channel's name.
  if (registry !== 'confirm' || typeof confirm !== 'string' || !/^\w+$/.test(confirm))
    return undefined
  if (typeof marks !== 'object' || marks === null) return undefined
  return { confirm, marks: new Map(Object.entries(marks).map(([of, mark]) => [of, Number(mark)])) }
}

export function answerText(answer: Answer): string {
  return JSON.stringify(answer)
}

/** @returns `undefined`: it is none. */
export function parseAnswer(text: string): Answer | undefined {
  try {
    const { process, why } = JSON.parse(text) as Partial<Record<keyof Answer, unknown>>
    if (typeof process !== 'string') return undefined
    return typeof why === 'string' ? { process, why } : { process }
  } catch {
    return undefined
  }
}

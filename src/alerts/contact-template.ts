import { InputError } from '../base/errors'

/** Mails to contacts; `-METER` behind a name: of a meter other than the usual one. */
export const CONTACT_MAILS = [
  'restricted',
  'restricted-all',
  'lifted',
  'allowance',
  'unusual',
] as const
export type ContactMail = (typeof CONTACT_MAILS)[number]

/** Texts that are a variable of the mails. */
export const CONTACT_PARTS = ['takeover', 'signature'] as const
export type ContactPart = (typeof CONTACT_PARTS)[number]

/** What a template may name. What does not apply to an event is empty. */
const VARIABLES = [
  ...CONTACT_PARTS,
  ...['tenant', 'case', 'time', 'write_to'],
  ...['percent', 'recipients', 'limit', 'window', 'domain', 'connector', 'address'],
  ...['what', 'used', 'advice'],
] as const
export type Values = Readonly<Partial<Record<(typeof VARIABLES)[number], string>>>

const NAMES: readonly string[] = VARIABLES

/** A text with variables, `{{tenant}}`: no conditions, no loops. */
export interface Template {
  /** Empty: it is a part of a mail. */
  readonly subject: string
  readonly lines: readonly string[]
}

/**
 * Reads a template. A mail begins with a line `Subject: …` and an empty one.
 *
 * @param name of the file, for messages.
 * @throws {InputError} with file and line.
 */
export function parseTemplate(name: string, text: string, isMail: boolean): Template {
  const lines = text.trimEnd().split(/\r?\n/)
  lines.forEach((line, at) => {
    const rest = line.replace(/\{\{(\w+)\}\}/g, (all, variable: string) =>
      NAMES.includes(variable) ? '' : all,
    )
    const wrong = /\{\{.*?\}\}|\{\{|\}\}/.exec(rest)
    if (!wrong) return
    throw new InputError(
      `${name}:${at + 1}: ${wrong[0]} is no variable: write one of ${NAMES.map((each) => `{{${each}}}`).join(' ')}`,
    )
  })
  if (!isMail) return { subject: '', lines }
  const subject = /^Subject: *(\S.*)$/.exec(lines[0] ?? '')?.[1]
  if (subject === undefined || lines[1] !== '') {
    throw new InputError(`${name}:1: does not begin with "Subject: TEXT" and an empty line`)
  }
  return { subject, lines: lines.slice(2) }
}

/**
 * Writes values into a template, once: what they contain is not read as a variable. A line of the text with an empty
 * variable is left out, and of several empty lines all but one.
 */
export function fillTemplate(
  { subject, lines }: Template,
  values: Values,
): { readonly subject: string; readonly lines: readonly string[] } {
  const filled = lines
    .filter((line) => variablesOf(line).every((name) => values[name]))
    .flatMap((line) => fill(line, values).split('\n'))
  return {
    subject: fill(subject, values),
    lines: filled.filter((line, at) => line !== '' || filled[at - 1] !== ''),
  }
}

function fill(line: string, values: Values): string {
  return line.replace(VARIABLE, (_all, name: keyof Values) => values[name] ?? '')
}

function variablesOf(line: string): (keyof Values)[] {
  return [...line.matchAll(VARIABLE)].map(([, name]) => name as keyof Values)
}

const VARIABLE = /\{\{(\w+)\}\}/g

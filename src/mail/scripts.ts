import { CLASSES, SOURCE_CLASSES, UNKNOWN, USUAL_CLASS, KNOWN_CLASSES } from './classes'
import { METER_NAMES, METERS, PROVEN_METER, RESTRICTING_FIRST, USUAL_METER } from './meters'
import { temporaryField } from './temporary'

/** What the scripts include of both tables: they know no meter and no class but by these. */
export const MAIL_INCLUDES: Readonly<Record<string, string>> = {
  'mail/meters': metersInLua(),
  'mail/classes': classesInLua(),
}

/** One row at a time: most scripts need one, and a table of all would be built in every call. */
function metersInLua(): string {
  const rows = METER_NAMES.map((meter) => {
    const { letter, limitsField, past, whileRestricted, onProbation, byDomain, held, proven } =
      METERS[meter]
    const row = inLua({
      letter,
      ...(meter !== USUAL_METER && { name: meter }),
      limits: limitsField,
      temporary: temporaryField(limitsField),
      ...(held && { held_with: METERS[PROVEN_METER].limitsField }),
      restricts: past === 'restriction',
      stopped: whileRestricted === 'stopped',
      on_probation: onProbation,
      by_domain: byDomain,
      proven,
    })
    return `  if letter == '${letter}' then return ${row} end`
  })
  const letters = RESTRICTING_FIRST.map((meter) => METERS[meter].letter)
  return [
    '-- The meters, from src/mail/meters.ts.',
    'local function meter_of(letter)',
    ...rows,
    'end',
    '',
    'local function all_meters()',
    `  return { ${letters.map((letter) => `meter_of('${letter}')`).join(', ')} }`,
    'end',
    '',
  ].join('\n')
}

function classesInLua(): string {
  const sources = SOURCE_CLASSES.map((each) => CLASSES[each])
  const rowLetters = sources.map(({ letter, rowLetter = '' }) => [letter, rowLetter] as const)
  const halves = sources.flatMap(({ letter, halfOfRows }) =>
    halfOfRows ? [[letter, true] as const] : [],
  )
  const passing = KNOWN_CLASSES.find((each) => CLASSES[each].passes)!
  return [
    '-- The classes of mail, from src/mail/classes.ts.',
    `local UNKNOWN, PASSING, USUAL = '${CLASSES[UNKNOWN].letter}', '${CLASSES[passing].letter}', '${CLASSES[USUAL_CLASS].letter}'`,
    '-- Classes that are told apart by source: what begins their rows; and those that may fill half of them.',
    `local ROW_LETTERS = ${inLua(Object.fromEntries(rowLetters))}`,
    `local HALF = ${inLua(Object.fromEntries(halves))}`,
    `local ANY_ROW = '[${rowLetters.map(([, row]) => row).join('')}]'`,
    '',
  ].join('\n')
}

/** What is false is left out: it is nil. */
function inLua(fields: Readonly<Record<string, string | boolean>>): string {
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    if (value === false) return []
    return [`${name} = ${value === true ? 'true' : `'${value}'`}`]
  })
  return `{ ${parts.join(', ')} }`
}

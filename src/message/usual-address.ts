/** Of atoms, and the dots between them. */
const ATEXT = "\\w!#$%&'*+/=?^`{|}~.-"
const BLANK = ' \\t\\r\\n'
const QUOTED_NAME = `"[ !#-[\\]-~]*"[${BLANK}]*`
const NAME = `[${ATEXT}][${BLANK}${ATEXT}]*`
const ADDRESS = `([${ATEXT}]+@[\\w.-]+)`
const USUAL = new RegExp(
  `^[${BLANK}]*(?:(?:${QUOTED_NAME}|${NAME})?<${ADDRESS}>|${ADDRESS})[${BLANK}]*$`,
)

/**
 * The address of a field as nearly all mail has it: one, alone, or in brackets behind a name of atoms or in quotes without
 * an escape, all in ASCII. `undefined`: the field is of another form, or has several.
 *
 * All readers find the same in such a field. The parser does too, but with its checks it takes ten times as long. Takes
 * time in proportion to the length: no two parts that follow each other match the same character.
 */
export function usualAddress(field: string): string | undefined {
  const found = USUAL.exec(field)
  return found ? (found[1] ?? found[2]) : undefined
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLASSES } from '../../src/mail/classes'
import { METERS, separated } from '../../src/mail/meters'
import { MAIL_INCLUDES } from '../../src/mail/scripts'

const distinct = (values: readonly string[]): void =>
  assert.deepEqual(values.length, new Set(values).size, values.join(' '))

describe('the tables of classes and meters', () => {
  const classes = Object.values(CLASSES)
  const meters = Object.values(METERS)

  it('give no letter twice, and none that means something else', () => {
    distinct(classes.map(({ letter }) => letter))
    distinct(classes.flatMap(({ rowLetter }) => rowLetter ?? []))
    distinct(classes.flatMap(({ headerFrom }) => headerFrom?.letter ?? []))
    // Of recipients that are held, by their ring in the usage.
    distinct([...meters.map(({ letter }) => letter), 'h'])
    // Of other fields in the report of a day: totals, owners, header From.
    distinct([...classes.flatMap(({ rowLetter }) => rowLetter ?? []), 't', 'o', 'h', 'l'])
  })

  it('give no field of limits and no section of the ini file twice', () => {
    distinct(meters.map(({ limitsField }) => limitsField))
    distinct(meters.flatMap(({ ini }) => ini?.section ?? []))
  })

  it('have one class that passes, and one meter of proven forwards, which has no default', () => {
    assert.equal(classes.filter(({ passes }) => passes).length, 1)
    assert.deepEqual(
      meters.filter(({ proven }) => proven).map(({ ini }) => ini),
      [undefined],
    )
  })

  it('spell the limits of a meter as options, fields and labels do', () => {
    assert.equal(separated('nullLimits', '-'), 'null-limits')
    assert.equal(separated('limits', '_'), 'limits')
  })

  it('reach the scripts', () => {
    assert.match(MAIL_INCLUDES['mail/meters']!, /'n' then return \{ letter = 'n', name = 'null'/)
    assert.match(MAIL_INCLUDES['mail/classes']!, /ROW_LETTERS = \{ u = 's', x = 'x', f = 'f' \}/)
  })
})

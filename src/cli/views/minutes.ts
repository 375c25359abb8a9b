import { isoMinute, isoTime } from '../../base/time'
import { grouped } from '../../base/lists'
import { CLASSES } from '../../mail/classes'
import { MINUTE, startOf } from '../../reporting/calendar'
import type { MinuteRow } from '../../reporting/minutes'
import { OTHER } from '../../reporting/rows'
import { sizeOf } from '../../reporting/shares'
import { attempts, total } from '../../reporting/sum'
import { countsView } from './counts'
import { brief, type Cell, type Output } from '../kit/output'

/** Most connectors with a column. */
const MOST_COLUMNS = 4
const STEP = 10 * MINUTE

/** A minute, as JSON. */
export function minuteView({ at, class: of, connector, counts }: MinuteRow): object {
  return { at: isoTime(at), class: of, connector, ...countsView(counts) }
}

/**
 * A table with a column for each connector that other mail than registered came through, and one for registered mail: by ten
 * minutes, so that three hours fit a screen.
 */
export function printMinutes(out: Output, rows: readonly MinuteRow[]): void {
  if (rows.length === 0) return
  const counted = rows.filter((row) => !CLASSES[row.class].passes)
  const connectors = grouped(counted, ({ connector }) => connector)
    .map(([connector, some]) => ({ connector, recipients: attempts(total(some)) }))
    .sort(
      (a, b) =>
        Number(a.connector === OTHER) - Number(b.connector === OTHER) ||
        b.recipients - a.recipients,
    )
    .map(({ connector }) => connector)
  const named = connectors.slice(0, MOST_COLUMNS)
  const hasMore = connectors.length > named.length
  out.line()
  out.table(
    [
      '10 MINUTES FROM',
      ...named.map(nameOf),
      ...(hasMore ? ['OTHERS'] : []),
      'OF THESE REFUSED',
      'REGISTERED',
    ],
    grouped(rows, ({ at }) => startOf(at, STEP)).map(([at, some]) => {
      const theirs = some.filter((row) => !CLASSES[row.class].passes)
      const passing = some.filter((row) => CLASSES[row.class].passes)
      const { messages, refused } = total(theirs)
      return [
        isoMinute(at),
        ...named.map((name) => size(theirs.filter(({ connector }) => connector === name))),
        ...(hasMore ? [size(theirs.filter(({ connector }) => !named.includes(connector)))] : []),
        right(`${messages.refused}/${refused}`),
        size(passing),
      ]
    }),
    '',
  )
}

function nameOf(connector: string): string {
  return connector === '' ? '(NO CONNECTOR)' : brief(connector)
}

/** Messages and recipients of all outcomes but deferred ones. */
function size(rows: readonly MinuteRow[]): Cell {
  const { messages, recipients } = sizeOf(total(rows))
  return right(recipients === 0 ? '-' : `${messages}/${recipients}`)
}

function right(text: string): Cell {
  return { text, right: true }
}

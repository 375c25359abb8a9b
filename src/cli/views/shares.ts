import { connectorName } from '../../mail/identities'
import type { Share, Shares } from '../../reporting/shares'
import type { Source } from '../../reporting/rows'
import { brief, type Output } from '../kit/output'
import { percent } from './counts'

/** The kinds of senders, most often asked for first. */
export const SENDERS: readonly (keyof Source)[] = ['domain', 'ip', 'user']

const TITLES: Readonly<Record<keyof Source, string>> = {
  connector: 'CONNECTOR',
  domain: 'SENDER DOMAIN',
  ip: 'ADDRESS',
  user: 'AUTH USER',
}

export function shareView({ value, messages, recipients, share }: Share): object {
  return { value, messages, recipients, share: Math.round(1000 * share) / 1000 }
}

/**
 * A table of each kind, with messages/recipients. A kind of which no mail has one is left out: without AUTH there are no
 * users.
 *
 * @param most rows of each.
 */
export function printShares(
  out: Output,
  shares: Shares,
  kinds: readonly (keyof Source)[],
  most: number,
): void {
  for (const kind of kinds) {
    const all: readonly Share[] = shares[kind]
    if (all.every(({ value }) => value === '')) continue
    out.line()
    out.table(
      [TITLES[kind], 'UNREGISTERED', 'SHARE'],
      all
        .slice(0, most)
        .map(({ value, messages, recipients, share }) => [
          brief(kind === 'connector' ? connectorName(value) : value) || '(none)',
          { text: `${messages}/${recipients}`, right: true },
          { text: percent(share), right: true },
        ]),
      '',
    )
    if (all.length > most) out.line(`and ${all.length - most} more`, 'faint')
  }
}

import { clean, shortened } from '../../base/safe-text'
import type { Alert } from '../../records/event'
import { countOf, factsOf, type Facts } from './facts'

// Chats and pagers make links of names and mentions of words. An attacker who chooses a domain or an AUTH user chooses what
// people read there.

/** Of a title, in octets, as all of these: small enough for each receiver, whatever it makes of the characters. */
const TITLE = 400
const MOST_FACTS = 20
const NAME = 40
const VALUE = 240
const MOST_STEPS = 8
const STEP = 300

/** An alert as a chat or a pager may show it: no name in it is a link, and no word a mention. */
export interface PlainAlert {
  /** With the severity. */
  readonly title: string
  readonly facts: Facts
  /** Commands to copy: tenants in them are as they are. No text of an attacker is in them. */
  readonly next: readonly string[]
  /** As it is: no text of an attacker is in it. */
  readonly url: string | undefined
}

/** What a link says. */
export const OPEN = 'Open in the console'

export function plainAlert(alert: Alert): PlainAlert {
  const { severity, title, next, url } = alert
  return {
    title: shortened(defanged(`${severity}: ${title}${countOf(alert)}`), TITLE),
    facts: factsOf(alert)
      .slice(0, MOST_FACTS)
      .map(([name, value]) => [shortened(defanged(name), NAME), shortened(defanged(value), VALUE)]),
    next: next.slice(0, MOST_STEPS).map((step) => shortened(step, STEP)),
    url,
  }
}

/**
 * Dots before a part of a name that has a letter, also those that browsers take for a dot (UTS #46 §2.3); not those of IPv4
 * addresses and of our times.
 */
const DOT = /[.\u3002\uff0e\uff61](?!\d+Z\b)(?=[\p{L}\p{M}\p{N}\p{Cf}_-]*\p{L})/gu

/**
 * `lure[.]example`, `user[at]lure[.]example`, `http[:]//lure[.]example`, `[text] (target)`: nothing makes a link or a mention of
 * it, not even where Markdown is read.
 */
export function defanged(text: string): string {
  // What is dropped could stand between a dot and a letter.
  return clean(text)
    .replace(DOT, '[.]')
    .replace(/[@\uff20\ufe6b]/g, '[at]')
    .replaceAll('://', '[:]//')
    .replaceAll('](', '] (')
}

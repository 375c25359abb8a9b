import { toDomain } from '../../names/domain'
import { registrableDomain } from '../../names/registrable'
import { withoutComments } from '../comments'

/** One result, such as `dkim=pass header.d=contoso.com`. */
interface MethodResult {
  readonly method: string
  readonly result: string
  /** By `ptype.property`, in lower case. */
  readonly properties: ReadonlyMap<string, string>
}

/** In octets. Real ones take a few hundred. */
const MAX_RESULTS = 16_384

const QUOTED = /"((?:[^"\\]|\\[^])*)"/g
const SEGMENT = /(?:"(?:[^"\\]|\\[^])*"|[^";])+/g
/** A name, and a value of quoted strings and other characters without a gap: `header.i="john doe"@contoso.com`. */
const PAIR = /(?:^| )([\w./-]+) ?= ?((?:"(?:[^"\\]|\\[^])*"|[^ ";])+)/g
const VERSION = /\/.*$/

/**
 * Whether the results that a sealer wrote down say that the mail is authentic for the domain of From: one `dmarc=pass` for
 * that very domain, or a `dkim=pass` of its organisation (RFC 8601).
 *
 * @param text of an ARC-Authentication-Results field, behind the instance: `mx.example; dkim=pass header.d=contoso.com`
 * @param from as lower-case A-labels
 */
export function saysPass(text: string, from: string): boolean {
  const results = parseResults(text)
  // DMARC has one result for a message. A second one may be forged to be read as the first.
  const dmarc = results.filter(({ method }) => method === 'dmarc')
  if (dmarc.length === 1 && dmarc.some((only) => passes(only, ['header.from'], from))) return true
  const organisation = registrableDomain(from)
  if (organisation === undefined) return false
  return results.some(
    (each) =>
      each.method === 'dkim' &&
      passes(each, ['header.d', 'header.i'], organisation, registrableDomain),
  )
}

/** Whether a result is a pass, and for `wanted`: by the first of these properties that it has. */
function passes(
  { result, properties }: MethodResult,
  names: readonly string[],
  wanted: string,
  of: (domain: string) => string | undefined = (domain) => domain,
): boolean {
  const name = names.find((each) => properties.has(each))
  const value = name === undefined ? '' : (properties.get(name) ?? '')
  const domain = toDomain(value.slice(value.lastIndexOf('@') + 1))
  return result === 'pass' && domain !== undefined && of(domain) === wanted
}

/** Empty if a comment or a quoted string has no end: then it cannot be read in one way only. */
function parseResults(text: string): MethodResult[] {
  const bare = text.length > MAX_RESULTS ? undefined : withoutComments(text, (quoted) => quoted)
  // The first says who judged.
  return (bare?.replace(/\s+/g, ' ').match(SEGMENT) ?? []).slice(1).flatMap((segment) => {
    const [first, ...properties] = pairsIn(segment.trim())
    if (!first) return []
    const [method, result] = first
    return {
      method: method.replace(VERSION, ''),
      result: result.toLowerCase(),
      properties: unique(properties),
    }
  })
}

/** Empty if it does not begin with one: the method stands first (RFC 8601 §2.2). */
function pairsIn(segment: string): [string, string][] {
  const found = [...segment.matchAll(PAIR)]
  if (found[0]?.index !== 0) return []
  return found.map(([, name = '', value = '']) => [
    name.toLowerCase(),
    value.replace(QUOTED, (_all, content: string) => content.replace(/\\([^])/g, '$1')),
  ])
}

/** Of two properties of one name none counts. */
function unique(pairs: readonly [string, string][]): Map<string, string> {
  const names = pairs.map(([name]) => name)
  return new Map(pairs.filter(([name]) => names.indexOf(name) === names.lastIndexOf(name)))
}

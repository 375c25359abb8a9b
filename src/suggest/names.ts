import { registrableDomain } from '../names/registrable'

/** Shorter labels are shared by too many organisations to say anything. */
const SHORTEST_LABEL = 4
const SHORTEST_RANDOM = 7

/** The name that an organisation chose: `contoso` of `mail.contoso.co.uk`. `undefined`: there is none. */
export function organisationLabel(domain: string): string | undefined {
  const registrable = registrableDomain(domain)
  return registrable?.slice(0, registrable.indexOf('.'))
}

/** Whether a label is long enough to tell organisations apart. */
export function isTelling(label: string): boolean {
  return label.length >= SHORTEST_LABEL
}

/**
 * Whether a name looks made by a program: two or more of hardly any vowels or a long run without one, many letters that
 * are rare in every language of the Latin alphabet, digits strewn among letters. It finds about half of them; what is
 * written in another script is not looked at.
 */
export function looksRandom(label: string): boolean {
  if (label.length < SHORTEST_RANDOM || label.startsWith('xn--')) return false
  const letters = label.replace(/[^a-z]/g, '')
  const count = (pattern: RegExp): number => letters.match(pattern)?.length ?? 0
  const signs = [
    count(/[aeiouy]/g) <= letters.length * 0.2 || /[b-df-hj-np-tv-xz]{5}/.test(label),
    count(/[jqxz]/g) >= Math.max(1, letters.length * 0.1),
    (label.match(/[a-z]\d|\d[a-z]/g)?.length ?? 0) >= 3,
  ]
  return signs.filter(Boolean).length >= 2
}

import { domainToUnicode } from 'node:url'

/** Letters of other scripts, and digits, that look like Latin letters in most fonts (after Unicode TR 39). */
const LOOKALIKES: Readonly<Record<string, string>> = {
  ...{ а: 'a', с: 'c', ԁ: 'd', е: 'e', һ: 'h', і: 'i', ј: 'j', ӏ: 'l', о: 'o', р: 'p', ѕ: 's' },
  ...{ у: 'y', х: 'x', ѵ: 'v', ԝ: 'w', α: 'a', ι: 'i', κ: 'k', ν: 'v', ο: 'o', ρ: 'p', τ: 't' },
  ...{ υ: 'u', ı: 'i', ɡ: 'g', ɑ: 'a', ł: 'l', ø: 'o', đ: 'd', 0: 'o', 1: 'l' },
}

/**
 * A label by how it looks: two labels with the same skeleton can hardly be told apart.
 *
 * @param label as in the DNS, `xn--…` too.
 */
export function skeletonOf(label: string): string {
  const letters = domainToUnicode(label).normalize('NFKD').replace(/\p{M}/gu, '')
  const latin = [...letters].map((letter) => LOOKALIKES[letter] ?? letter).join('')
  return latin.replaceAll('rn', 'm').replaceAll('vv', 'w')
}

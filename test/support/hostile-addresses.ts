import fc from 'fast-check'
import { acceptedDomains } from './judgement'

/** Accepted domains of the tests with hostile addresses, as A-labels. */
export const ACCEPTED = acceptedDomains({
  'contoso.com': 's',
  'fabrikam.example': '-',
  'xn--mnchen-3ya.example': 's',
  'xn--fa-hia.example': '-',
  'xn--pxavbq.example': '-',
  'mail.fabrikam.example': 's',
  constructor: 's',
})

/**
 * Names that look like or contain an accepted domain, each with a description. None of them is one, unless the
 * description says so.
 */
export const LOOKALIKES: Readonly<Record<string, string>> = {
  'Cyrillic о': 'cоntoso.com',
  'all Cyrillic': 'соntоsо.соm',
  'Greek omicron': 'contοsο.com',
  'Armenian օ': 'contօso.com',
  Cherokee: 'Ꮯontoso.com',
  'mathematical bold': '𝐜ontoso.com',
  'full-width letter': 'ｃontoso.com',
  'full-width everywhere': 'ｃｏｎｔｏｓｏ．ｃｏｍ',
  'full-width dot': 'contoso．com',
  'ideographic dot': 'contoso。com',
  'half-width ideographic dot': 'contoso｡com',
  'one dot leader': 'contoso․com',
  'Arabic full stop': 'contoso۔com',
  'middle dot': 'contoso·com',
  'Khmer sign': 'contoso។com',
  'zero-width space': 'con\u200btoso.com',
  'zero-width joiner': 'con\u200dtoso.com',
  'zero-width non-joiner': 'con\u200ctoso.com',
  'word joiner': 'con\u2060toso.com',
  'byte order mark': '\ufeffcontoso.com',
  'soft hyphen': 'con\u00adtoso.com',
  'variation selector': 'contoso\ufe0f.com',
  'combining grapheme joiner': 'conto\u034fso.com',
  'combining mark': 'contoso\u0323.com',
  'combining mark in front': '\u0301contoso.com',
  'Hangul filler': 'contoso\u3164.com',
  'tag character': 'contoso\u{e0061}.com',
  'bidi override': '\u202econtoso.com',
  'bidi isolate': '\u2066contoso\u2069.com',
  'long s': 'contoſo.com',
  'dotless i': 'fabrıkam.example',
  'dotted capital I': 'FABRİKAM.example',
  'Kelvin sign': 'fabri\u212aam.example',
  'full-width digit': 'contoso1.com'.replace('1', '１'),
  'circled letter': 'ⓒontoso.com',
  superscript: 'contosᵒ.com',
  ligature: 'contoſo.coﬀ',
  'trade mark': 'contoso™.com',
  'no-break space': 'contoso\u00a0.com',
  'ideographic space': 'contoso　.com',
  'sharp s for ss': 'contoßo.com',
  'ss for sharp s': 'fass.example',
  'final sigma': 'οδος.example',
  'capital sharp s of another name': 'FAẞS.example',
  'without its umlaut': 'munchen.example',
  'umlaut in words': 'muenchen.example',
  hyphenated: 'con-toso.com',
  'letters in front': 'evilcontoso.com',
  'letters after it': 'contoso.community',
  'other top level': 'contoso.co',
  'as a subdomain of another': 'contoso.com.evil.example',
  'a child of one without subdomains': 'evil.fabrikam.example',
  'the parent': 'com',
  'the parent of a child': 'example',
  'A-label of ASCII': 'xn--contoso-.com',
  'A-label of the name': 'xn--contoso.com',
  'A-label of the Cyrillic one': 'xn--cntoso-5kf.com',
  'invalid A-label': 'xn--\u007a\u007a.com',
  'encoded twice': 'xn--xn--mnchen-3ya-.example',
  'A-label within a U-label': 'xn--mnchen-3yaé.example',
  'percent-encoded dot': 'contoso%2ecom',
  'percent-encoded NUL': 'contoso.com%00.evil.example',
  'two dots after it': 'contoso.com..',
  'two dots inside': 'contoso..com',
  'dot in front': '.contoso.com',
  'lone surrogate': 'contoso\ud800.com',
  'replacement character': 'contoso\ufffd.com',
  underscore: '_contoso.com',
  'underscore after it': 'contoso_.com',
}

/** Names that are an accepted domain, or below one with subdomains, in any spelling. */
export const SAME_NAMES: Readonly<Record<string, string>> = {
  'as it is': 'contoso.com',
  'upper case': 'CONTOSO.COM',
  'mixed case': 'cOnToSo.CoM',
  'a child': 'mail.contoso.com',
  'a grandchild': 'a.b.CONTOSO.com',
  'an IDN child': 'bücher.contoso.com',
  'a look-alike as a child': 'cоntoso.contoso.com',
  'an A-label': 'xn--mnchen-3ya.example',
  'an A-label in upper case': 'XN--MNCHEN-3YA.EXAMPLE',
  'a U-label': 'münchen.example',
  'a child of a U-label': 'mail.münchen.example',
  'sharp s': 'faß.example',
  'sigma in the middle': 'οδοσ.example',
  'a property of objects': 'constructor',
}

/** Misleading local parts: other addresses, routes, keys and patterns. */
const LOCALS = [
  ...['u', 'postmaster', '__proto__', 'constructor', 'hasOwnProperty', 'a.b', 'user+tag', '*'],
  ...['user%contoso.com', 'contoso.com!user', 'ud:{contoso}', '{@owners}', '$(id)', '`id`', "'"],
  ...['"@"', '"u@contoso.com"', '"u\\"@contoso.com"', '" "', '""', '"a\\ b"', '"\\\\"', '"<>"'],
  ...['"a\\@b"', '"\t"', '"a', 'a"b', '.a', 'a.', 'a..b', 'ü', 'ｕ', '🎉', '\u202eu', 'u\u0000'],
  ...['x'.repeat(64), 'x'.repeat(65), 'x'.repeat(300), `"${'x'.repeat(70)}"`, '', ' ', 'a b'],
]

const LITERALS = [
  ...['[192.0.2.1]', '[192.0.2.256]', '[1.2.3]', '[127.0.0.1', '[IPv6:2001:db8::1]', '[IPv6:::]'],
  ...['[IPv6:::ffff:192.0.2.1]', '[ipv6:1:2:3:4:5:6:7:8]', '[2001:db8::1]', '[IPv6:fe80::1%eth0]'],
  ...['[contoso.com]', '[X-tag:contoso.com]', '[tag:{}*?]', '[]', '[ ]', '[[1.2.3.4]]', '[a:\\]'],
]

const LABELS = [
  ...['contoso', 'com', 'fabrikam', 'example', 'mail', 'evil', 'localhost', 'a', '1', '0x1', '255'],
  ...['xn--mnchen-3ya', 'XN--MNCHEN-3YA', 'xn--', 'xn--a', 'xn--fa-hia', 'münchen', 'MÜNCHEN'],
  ...[
    'mu\u0308nchen',
    'faß',
    'FASS',
    'FAẞ',
    'οδος',
    'ΟΔΟΣ',
    'οδοσ',
    'ｃontoso',
    'cоntoso',
    'ſ',
    'ı',
  ],
  ...[
    'İ',
    '\u212a',
    '\u200b',
    '\u200d',
    '\u00ad',
    '\ufeff',
    '\u202e',
    '\u2066',
    '\u0301',
    '₿',
    '💩',
  ],
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', '_dmarc', '-a', 'a-', 'a--b', '*'],
  ...[
    '{contoso}',
    '?',
    '%00',
    '%2e',
    '#',
    '/',
    ':25',
    '\\',
    '"',
    ' ',
    '\t',
    '\u0000',
    '\u007f',
    '\u0085',
  ],
  ...[
    '',
    'é'.repeat(40),
    'a'.repeat(63),
    'a'.repeat(64),
    'x'.repeat(255),
    '℀',
    '①',
    'א',
    'ي',
    '\ufffd',
  ],
]

const DOTS = ['.', '.', '.', '.', '.', '.', '.', '。', '．', '｡', '..', '']

const pick = (texts: readonly string[]) => fc.constantFrom(...texts)

const label = fc.oneof(
  { weight: 6, arbitrary: pick(LABELS) },
  { weight: 1, arbitrary: fc.tuple(pick(LABELS), pick(LABELS)).map((both) => both.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
)

const madeName = fc
  .array(fc.tuple(label, pick(DOTS)), { minLength: 1, maxLength: 5 })
  .map((labels) => labels.flat().slice(0, -1).join(''))

const longName = fc
  .tuple(pick(LABELS), fc.nat(130), pick(['', '.contoso.com', '.']))
  .map(([each, times, end]) => `${each}.`.repeat(times) + each + end)

/** A name that is or looks like an accepted one, alone or as a part of another. */
const likeAccepted = fc
  .tuple(
    pick(['', '', '', 'mail.', 'evil', 'ü.', '.', '。', '-', '_', '\u200b']),
    pick([...Object.values(LOOKALIKES), ...Object.values(SAME_NAMES), ...ACCEPTED.keys()]),
    pick([
      '',
      '',
      '',
      '.',
      '..',
      '。',
      '.evil.example',
      '%00',
      '\u0000',
      ' ',
      '>',
      '@evil.example',
    ]),
  )
  .map((parts) => parts.join(''))

/** A name with one letter replaced, added or removed. */
const mutated = (names: fc.Arbitrary<string>) =>
  fc.tuple(names, fc.nat(), fc.nat(2), label).map(([name, where, cut, insert]) => {
    const at = where % (name.length + 1)
    return name.slice(0, at) + insert + name.slice(at + cut)
  })

const literal = fc.oneof(pick(LITERALS), mutated(pick(LITERALS)))

/** Texts to send after the `@`. */
const hostileDomain: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: likeAccepted },
  { weight: 4, arbitrary: madeName },
  { weight: 2, arbitrary: mutated(likeAccepted) },
  { weight: 2, arbitrary: literal },
  { weight: 1, arbitrary: longName },
)

/** Names that a parser accepts, so that later steps are tested too. */
const wellFormed = fc.oneof(
  { weight: 4, arbitrary: pick([...Object.values(SAME_NAMES), ...ACCEPTED.keys()]) },
  { weight: 4, arbitrary: pick(Object.values(LOOKALIKES)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(pick(['mail', 'a', 'ü', '1', 'xn--a', 'cоntoso']), pick([...ACCEPTED.keys()]))
      .map((labels) => labels.join('.')),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(pick([...ACCEPTED.keys()]), pick(['evil.example', 'com', 'xn--mnchen-3ya.example']))
      .map((labels) => labels.join('.')),
  },
  { weight: 2, arbitrary: mutated(pick([...ACCEPTED.keys()])) },
  { weight: 1, arbitrary: fc.domain() },
)

const local = fc.oneof(
  { weight: 5, arbitrary: pick(['u', 'bounce+1']) },
  { weight: 4, arbitrary: pick(LOCALS) },
  { weight: 1, arbitrary: mutated(pick(LOCALS)) },
)

const route = pick([
  '',
  '',
  '',
  '',
  '',
  '',
  '@relay.example:',
  '@a,@contoso.com:',
  '@:',
  '@a.b,:',
  '@[1.2.3.4]:',
])

const WHOLE = [
  ...[
    '<>',
    '',
    '< >',
    '<<>>',
    '<@>',
    '<postmaster>',
    '<Postmaster>',
    'postmaster',
    '<u>',
    '<u@>',
    '<@contoso.com>',
  ],
  ...[
    'u@contoso.com',
    '<u@contoso.com',
    'u@contoso.com>',
    '<u@contoso.com>>',
    '<<u@contoso.com>>',
    ' <u@contoso.com>',
  ],
  ...[
    '<u@contoso.com@evil.example>',
    '<u@evil.example@contoso.com>',
    '<u@evil.example,u@contoso.com>',
  ],
  ...['<u@evil.example> <u@contoso.com>', '<u@evil.example>u@contoso.com', '"Ann" <u@contoso.com>'],
  ...[
    '<u@contoso.com(comment)>',
    '<u(c)@contoso.com>',
    '<u @contoso.com>',
    '<u@ contoso.com>',
    '<\u0000>',
    '\u0000',
  ],
]

/** Texts after `MAIL FROM:` or `RCPT TO:`, as Haraka's parser gets them. */
export const hostilePath: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(pick(['u', 'u', '"@"', 'user%evil.example']), wellFormed)
      .map(([user, domain]) => `<${user}@${domain}>`),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(route, local, hostileDomain)
      .map(([by, user, domain]) => `<${by}${user}@${domain}>`),
  },
  { weight: 1, arbitrary: pick(WHOLE) },
  { weight: 1, arbitrary: mutated(pick(WHOLE)) },
)

/** Hand-picked paths, each with a name. */
export const CORPUS: readonly (readonly [name: string, path: string])[] = [
  ...Object.entries(LOOKALIKES).map(([name, domain]) => [name, `<u@${domain}>`] as const),
  ...Object.entries(SAME_NAMES).map(([name, domain]) => [name, `<u@${domain}>`] as const),
  ...LOCALS.map((user) => [`local part ${JSON.stringify(user)}`, `<${user}@contoso.com>`] as const),
  ...LOCALS.map((user) => [`${JSON.stringify(user)} elsewhere`, `<${user}@evil.example>`] as const),
  ...LITERALS.map((text) => [`literal ${text}`, `<u@${text}>`] as const),
  ...LABELS.map((text) => [`label ${JSON.stringify(text)}`, `<u@${text}.contoso.com>`] as const),
  ...LABELS.map((text) => [`name ${JSON.stringify(text)}`, `<u@${text}>`] as const),
  ...WHOLE.map((path) => [`path ${JSON.stringify(path)}`, path] as const),
]

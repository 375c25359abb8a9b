import { registered, unregistered, type Expected, type Row } from './row'

const own: Expected = { ...registered, domain: 'OWN' }
const evil: Expected = { ...unregistered(), domain: 'evil.example' }

const CASES: readonly (readonly [what: string, from: string, expected: Expected])[] = [
  ['SRS0 that the tenant has made', 'SRS0=hash=tt=evil.example=ann@OWN', own],
  ['SRS0 that names the tenant', 'SRS0=hash=tt=OWN=ann@evil.example', evil],
  ['SRS0 with plus that names the tenant', 'SRS0+hash=tt=OWN=ann@evil.example', evil],
  ['SRS0 that names another tenant', 'SRS0=hash=tt=neighbour.example=ann@evil.example', evil],
  [
    'SRS0 of another tenant',
    'SRS0=hash=tt=OWN=ann@neighbour.example',
    { class: 'foreign', counts: { unregistered: 1 }, domain: 'neighbour.example' },
  ],
  ['SRS1 that the tenant has made', 'SRS1=hash=evil.example==hash=tt=far.example=x@OWN', own],
  ['SRS1 that names the tenant', 'SRS1=hash=OWN==hash=tt=OWN=ann@evil.example', evil],
  ['prvs of the tenant', 'prvs=0123abcdef=ann@OWN', own],
  ['prvs of another sender', 'prvs=0123abcdef=ann=OWN@evil.example', evil],
  ['BATV with the address first', 'prvs=ann/0123abcdef@evil.example', evil],
  ['VERP of the tenant', 'bounces-ann=evil.example@OWN', own],
  ['VERP of another sender', 'bounces-ann=OWN@evil.example', evil],
  ['bounces+SRS of the tenant', 'bounces+SRS=Xyz1a=TT@OWN', own],
  ['bounces+SRS of another sender', 'bounces+SRS=Xyz1a=TT=OWN=ann@evil.example', evil],
  ['a percent sign', 'ann%OWN@evil.example', evil],
  ['a path of UUCP', 'OWN!ann@evil.example', evil],
  ['a quoted @ before the tenant’s domain', '"ann@evil.example"@OWN', own],
  ['a quoted @ before another domain', '"ann@OWN"@evil.example', evil],
  ['a quoted > before another domain', '"ann@OWN>"@evil.example', evil],
]

/** The local part is never read: the domain on the right counts. */
export const LOCAL_PARTS: readonly Row[] = CASES.map(([what, from, expected]) => ({
  what,
  from,
  expected,
}))

import type { Meter } from './meters'

/** Settings that cells depend on. */
export interface ClassSettings {
  readonly forwarded: { readonly whenRestricted: 'refuse' | 'accept' }
  readonly foreign: { readonly action: 'charge' | 'refuse' }
}

/** Rules of unusual mail that watch how much there is of some classes. */
export type VolumeRule = 'volume' | 'registered_volume' | 'null_volume' | 'foreign'

/**
 * How a sender, or a message, stands to its tenant. Whatever differs between classes is a cell of this table; which class it
 * is, and how one becomes another, is code in `decision/classify.ts`.
 */
export interface ClassRow {
  /** In the totals of reports. */
  readonly letter: string
  /** Begins its rows by source in reports; `undefined`: reports have its total only. */
  readonly rowLetter: string | undefined
  /** It may fill half of the rows of a report: what comes from everywhere must not crowd out the rest. */
  readonly halfOfRows: boolean
  /** What counts its recipients; `undefined`: nothing. */
  readonly meter: Meter | undefined
  /** It is accepted whatever happens, but for a restriction of all mail. */
  readonly passes: boolean
  /** When it is refused whatever the allowance, unless it is a proven forward; and the name of reply and token. */
  readonly refused:
    { readonly as: 'foreign'; readonly when: (settings: ClassSettings) => boolean } | undefined
  /** `asked`: another tenant may own its domain, and Redis is asked which. `shown`: one does, and is shown. */
  readonly owner: 'asked' | 'shown' | undefined
  /** Its header From is looked at. */
  readonly headerFrom: HeaderFromCell | undefined
  /** Its domains may be the tenant's own: `suggest` and cases name them. */
  readonly suggested: boolean
  /** Rules of unusual mail that watch its volume. */
  readonly unusual: readonly VolumeRule[]
  readonly queue: QueueCell
  readonly words: ClassWords
}

/** How the header From of a class is looked at. */
interface HeaderFromCell {
  /** One that does not fit is in the log and the results, and `check=charge` counts it as unregistered mail. */
  readonly suspect: boolean
  /** Tells its fields in reports apart. */
  readonly letter: string
  /** Its field in reports and evidence; in JSON with `_`. */
  readonly field: string
  /** Begins the line for people. */
  readonly title: string
}

/** What happens behind Haraka's queue. */
interface QueueCell {
  /** Whether `[restriction] queued=hold` holds it while unregistered mail is refused. */
  readonly held: (settings: ClassSettings) => boolean
  /** `tenantctl queue TENANT drop` removes it. */
  readonly droppable: boolean
  /** It leaves through the egress pool. */
  readonly pooled: boolean
  /** Its sender is rewritten by SRS. */
  readonly rewritten: boolean
}

/** What people call a class. */
interface ClassWords {
  /** Heads a column. */
  readonly head: string
  /** In the help of `report --class`. */
  readonly help: string
  /** What `explain` says of the sender; `undefined`: by its domain. */
  readonly sender: string | undefined
}

const always = (): boolean => true
const never = (): boolean => false

const TABLE = {
  unregistered: {
    letter: 'u',
    rowLetter: 's',
    halfOfRows: false,
    meter: 'unregistered',
    passes: false,
    refused: undefined,
    owner: 'asked',
    headerFrom: undefined,
    suggested: true,
    unusual: ['volume'],
    queue: { held: always, droppable: true, pooled: true, rewritten: false },
    words: { head: 'UNREGISTERED', help: 'unregistered', sender: undefined },
  },
  /** Another tenant owns the sender domain. */
  foreign: {
    letter: 'x',
    rowLetter: 'x',
    halfOfRows: false,
    meter: 'unregistered',
    passes: false,
    refused: { as: 'foreign', when: ({ foreign }) => foreign.action === 'refuse' },
    owner: 'shown',
    headerFrom: undefined,
    suggested: false,
    unusual: ['volume', 'foreign'],
    queue: { held: always, droppable: true, pooled: true, rewritten: false },
    words: {
      head: 'FOREIGN',
      help: "foreign (the sender domain is another tenant's)",
      sender: undefined,
    },
  },
  /** Proven to be a forward, which is known when the message is there. */
  forwarded: {
    letter: 'f',
    rowLetter: 'f',
    halfOfRows: true,
    meter: 'forwarded',
    passes: false,
    refused: undefined,
    owner: undefined,
    headerFrom: undefined,
    suggested: false,
    unusual: [],
    queue: {
      held: ({ forwarded }) => forwarded.whenRestricted === 'refuse',
      droppable: false,
      pooled: false,
      rewritten: true,
    },
    words: { head: 'FORWARDED', help: 'forwarded', sender: undefined },
  },
  registered: {
    letter: 'r',
    rowLetter: undefined,
    halfOfRows: false,
    meter: undefined,
    passes: true,
    refused: undefined,
    owner: undefined,
    headerFrom: { suspect: true, letter: '', field: 'headerFrom', title: 'From header' },
    suggested: false,
    unusual: ['registered_volume'],
    queue: { held: never, droppable: false, pooled: false, rewritten: false },
    words: { head: 'REGISTERED', help: 'registered', sender: undefined },
  },
  /** The empty reverse-path of bounces. */
  null: {
    letter: 'n',
    rowLetter: undefined,
    halfOfRows: false,
    meter: 'null',
    passes: false,
    refused: undefined,
    owner: undefined,
    headerFrom: {
      suspect: false,
      letter: 'n',
      field: 'nullHeaderFrom',
      title: 'From header of bounces (null sender)',
    },
    suggested: false,
    unusual: ['null_volume'],
    // Nothing tells a tenant's own bounces from backscatter, and SPF judges both by the name in EHLO.
    queue: { held: never, droppable: false, pooled: true, rewritten: false },
    words: {
      head: 'NULL SENDER',
      help: 'null',
      sender: 'the null sender, on a meter of its own',
    },
  },
  /** Nothing was known of the tenant. Reports take it for registered or unregistered, as Redis then finds it. */
  unknown: {
    letter: '?',
    rowLetter: undefined,
    halfOfRows: false,
    meter: undefined,
    passes: false,
    refused: undefined,
    owner: undefined,
    headerFrom: undefined,
    suggested: false,
    unusual: [],
    // It may be registered mail, and the SPF record of a tenant need not name the pool.
    queue: { held: always, droppable: false, pooled: false, rewritten: false },
    words: { head: 'UNKNOWN', help: 'unknown', sender: undefined },
  },
} as const satisfies Record<string, ClassRow>

export type MailClass = keyof typeof TABLE
/** A class that reports, notes and JSON name; they have `null` for the other. */
export type KnownClass = Exclude<MailClass, typeof UNKNOWN>
/** A class that reports tell apart by source. */
export type SourceClass = {
  [C in MailClass]: (typeof TABLE)[C]['rowLetter'] extends string ? C : never
}[MailClass]
/** A class whose header From is looked at. */
export type LookedClass = {
  [C in MailClass]: (typeof TABLE)[C]['headerFrom'] extends HeaderFromCell ? C : never
}[MailClass]
/** Where reports and evidence have what was found there. */
export type LookedKey = NonNullable<(typeof TABLE)[LookedClass]['headerFrom']>['field']

export const CLASSES: Readonly<Record<MailClass, ClassRow>> = TABLE

/** The class of mail that could not be classified. */
export const UNKNOWN = 'unknown' satisfies keyof typeof TABLE
/** The usual class: reports by day or hour are about it, and older reports know no other. */
export const USUAL_CLASS = 'unregistered' satisfies SourceClass

/** The class whose header From is looked at by default: its fields have no letter. */
export const USUAL_LOOKED = 'registered' satisfies LookedClass

/** In the order in which they are shown. */
export const KNOWN_CLASSES = (Object.keys(TABLE) as MailClass[]).filter(
  (each): each is KnownClass => each !== UNKNOWN,
)
export const SOURCE_CLASSES = KNOWN_CLASSES.filter(
  (each): each is SourceClass => CLASSES[each].rowLetter !== undefined,
)
export const LOOKED_CLASSES = KNOWN_CLASSES.filter(
  (each): each is LookedClass => CLASSES[each].headerFrom !== undefined,
)

/** The field of reports and evidence with what was found in the header From of a class. */
export function lookedKey(looked: LookedClass): LookedKey {
  return TABLE[looked].headerFrom.field
}

/** Classes whose volume a rule of unusual mail watches. */
export function watchedBy(rule: VolumeRule): KnownClass[] {
  return KNOWN_CLASSES.filter((each) => CLASSES[each].unusual.includes(rule))
}

/** A class as notes and JSON have it. */
export function notedClass(mailClass: MailClass): KnownClass | null {
  return mailClass === UNKNOWN ? null : mailClass
}

/** The class that somebody has noted. */
export function classOfNote(noted: unknown): MailClass {
  return KNOWN_CLASSES.find((each) => each === noted) ?? UNKNOWN
}

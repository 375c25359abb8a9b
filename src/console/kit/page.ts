import type { Config } from '../../process/config'
import type { Role } from '../../records/role'
import type { Store } from '../../store/store'
import type { Person } from '../access/person'
import type { Html } from './html'

/** One request of a person: all that a page is made from. */
export interface Visit {
  readonly person: Person
  /** Of a connection that only reads, where there is one. */
  readonly store: Store
  /** To give orders to hosts and to change something, in the hands of the person; `undefined`: this person only reads. */
  readonly writing: Store | undefined
  /** What the processes that handle mail have in effect. */
  readonly config: Config
  /** Placeholders of the path. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** The page asks again by itself: only what is live is sent. */
  readonly isPoll: boolean
  /** A form that posts comes with this; see {@link csrf} of `forms.ts`. */
  readonly token: string
  /** A link within the console; each segment is encoded. */
  to(segments: readonly string[], query?: Readonly<Record<string, string>>): string
}

/** What a page shows. */
export interface Shown {
  readonly title: string
  /** What goes on now: it is on top, and asked for again every five seconds. */
  readonly live?: Html
  /** The rest, with the forms: it stays as it is while a person types. Not needed for a poll. */
  readonly rest: Html
  readonly status?: 404 | 409
}

/** A page at a path. */
export interface Page {
  /** Such as `/tenants/:tenant`. */
  readonly path: string
  readonly least: Role
  /** It is for paper: nothing of the console is around it, neither names nor links. */
  readonly isForPaper?: boolean
  /** @throws {UserError} its message is shown in place of the page; what ioredis throws: Redis is away. */
  show(visit: Visit): Promise<Shown>
}

/** What a form downloads. That leaves a trace, so no link can lead to it. */
export interface Download {
  /** Where the form posts to. */
  readonly path: string
  readonly least: Role
  /** @param sent what the form has sent. */
  make(
    visit: Visit,
    sent: URLSearchParams,
  ): Promise<{ readonly name: string; readonly type: string; readonly body: string }>
}

import type { Operation } from '../../operations/roles'
import type { Role } from '../../records/role'
import type { Store } from '../../store/store'
import type { Html } from './html'
import type { Visit } from './page'

/** What a form sends: the last value of each field. */
export interface Form {
  /** Trimmed; empty: it was not sent. */
  text(name: string): string
  all(name: string): readonly string[]
  isOn(name: string): boolean
}

/** Something that a person does with a form: a page shows the form, this is what it does. */
export interface Action<I = unknown> {
  /** Where the form posts to, such as `/tenants/:tenant/block`. */
  readonly path: string
  /** What does it; its least role is in `operations/roles.ts`. */
  readonly operation: Operation
  /** @throws {InputError} */
  read(form: Form, params: Readonly<Record<string, string>>): I
  /** The tenant that it changes: what others have changed of it since the page was read is shown first. */
  subject?(input: I): string
  /** Where more than the role of the operation is needed. */
  least?(input: I, visit: Visit): Role | Promise<Role>
  /** The command that does the same. */
  command(input: I): string
  /** What it will do, and a question, for a page of its own before it is done; `undefined`: it is done at once. */
  question?(input: I, visit: Visit): Promise<Question | undefined>
  /** @param store in the hands of the person. @param by for records that keep a name. */
  run(store: Store, by: string, input: I, visit: Visit): Promise<Done>
}

export interface Question {
  readonly title: string
  readonly lines: readonly (string | Html)[]
  /** What the button says. */
  readonly yes: string
  /** Sent back with the answer, besides what the form had sent. */
  readonly fields?: Readonly<Record<string, string>>
}

export interface Done {
  readonly tone: 'good' | 'warn'
  /** What was done, and where it is in force. */
  readonly lines: readonly string[]
  /** Shown in place of the next page. */
  readonly page?: { readonly title: string; readonly rest: Html }
  /** The page that is shown next; absent: the one that the form was on. */
  readonly next?: readonly string[]
}

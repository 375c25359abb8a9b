import { atLeast, type Role } from '../../records/role'
import { html, NOTHING, type Html } from './html'
import { sameCommand } from './parts'
import type { Visit } from './page'

/** Names of the fields that every form sends. */
export const FIELDS = {
  token: 'token',
  returnTo: 'return_to',
  /** When the page was made: ms, server time. */
  seen: 'seen',
  confirmed: 'confirmed',
} as const

/** A field of a form. */
export type Field =
  | { readonly kind: 'hidden'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'text'
      readonly name: string
      readonly label: string
      readonly value?: string
      readonly required?: boolean
      readonly hint?: string
    }
  | {
      readonly kind: 'check'
      readonly name: string
      readonly label: string
      readonly value?: string
      readonly on?: boolean
    }
  | {
      readonly kind: 'choice'
      readonly name: string
      readonly label: string
      readonly values: readonly (readonly [value: string, text: string])[]
      readonly value?: string
    }

export interface FormOptions {
  /** Where it posts to: segments of the path of an {@link Action}. */
  readonly to: readonly string[]
  readonly button: string
  readonly fields?: readonly Field[]
  /** The command that does the same, with the values that are known. */
  readonly command?: string
  /** When what the page shows was read, in ms; absent: what was changed since does not matter. */
  readonly seen?: number
  /** The path of the page that is shown next, from `visit.to`; absent: this page. */
  readonly returnTo?: string
  /** It ends or removes something. */
  readonly isDanger?: boolean
  /** Who is shown the form; absent: all who may change something. The server checks the role of the action again. */
  readonly least?: Role
}

let forms = 0

/** A form that changes something; nothing for people whom it is not for. */
export function form(visit: Visit, options: FormOptions): Html {
  if (!visit.writing || !atLeast(visit.person.role, options.least ?? 'operator')) return NOTHING
  const { to, button, fields = [], command, seen, isDanger } = options
  const id = `f${(forms = (forms + 1) % 1_000_000)}`
  const hidden = [
    [FIELDS.token, visit.token],
    [FIELDS.returnTo, options.returnTo ?? ''],
    ...(seen === undefined ? [] : [[FIELDS.seen, String(seen)]]),
  ] as const
  return html`<form method="post" action="${visit.to(to)}">
    ${hidden.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
    ${fields.map((each, at) => input(each, `${id}-${at}`))}
    <button type="submit" class="${isDanger ? 'danger' : ''}">${button}</button>
    ${command === undefined ? NOTHING : sameCommand(command)}
  </form>`
}

/**
 * A form that changes nothing: what it asks for becomes the query of a page.
 *
 * @param to segments of the path of the page.
 */
export function asking(
  visit: Visit,
  to: readonly string[],
  fields: readonly Field[],
  button = 'Show',
): Html {
  const id = `q${(forms = (forms + 1) % 1_000_000)}`
  return html`<form method="get" action="${visit.to(to)}" class="asking">
    ${fields.map((each, at) => input(each, `${id}-${at}`))}
    <button type="submit">${button}</button>
  </form>`
}

function input(field: Field, id: string): Html {
  const { kind, name } = field
  switch (kind) {
    case 'hidden':
      return html`<input type="hidden" name="${name}" value="${field.value}" />`
    case 'check':
      return html`<p class="check">
        <input
          type="checkbox"
          id="${id}"
          name="${name}"
          value="${field.value ?? 'yes'}"
          ${field.on ? 'checked' : ''}
        />
        <label for="${id}">${field.label}</label>
      </p>`
    case 'choice':
      return html`<p>
        <label for="${id}">${field.label}</label>
        <select id="${id}" name="${name}">
          ${field.values.map(
            ([value, text]) =>
              html`<option value="${value}" ${value === field.value ? 'selected' : ''}>
                ${text}
              </option>`,
          )}
        </select>
      </p>`
    case 'text':
      return html`<p>
        <label for="${id}">${field.label}</label>
        <input
          type="text"
          id="${id}"
          name="${name}"
          value="${field.value ?? ''}"
          autocomplete="off"
          spellcheck="false"
          ${field.required ? 'required' : ''}
          ${field.hint === undefined ? '' : html`aria-describedby="${id}-hint"`}
        />
        ${field.hint === undefined ? NOTHING : html`<small id="${id}-hint">${field.hint}</small>`}
      </p>`
  }
}

import type { Form } from '../kit/action'

/** What a form has sent. @param body `application/x-www-form-urlencoded`. */
export function formOf(body: URLSearchParams): Form {
  return {
    text: (name) => (body.getAll(name).at(-1) ?? '').trim(),
    all: (name) => body.getAll(name).map((each) => each.trim()),
    isOn: (name) => (body.get(name) ?? '') !== '',
  }
}

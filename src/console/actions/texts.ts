import { acceptedText } from '../../cli/kit/actor'
import type { Form } from '../kit/action'

/** The reason of a change, which is kept and shown. @throws {InputError} */
export function reasonIn(form: Form): string {
  return acceptedText('the reason', form.text('reason'))
}

/** A note, as `reasonIn`. @throws {InputError} */
export function noteIn(form: Form): string {
  return acceptedText('the note', form.text('note'))
}

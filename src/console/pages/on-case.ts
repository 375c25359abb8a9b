import { tenantctl } from '../../base/command-line'
import type { Case } from '../../cases/case'
import { recordedAs } from '../access/person'
import { form } from '../kit/forms'
import { NOTHING, type Html } from '../kit/html'
import type { Visit } from '../kit/page'
import type { From } from './checklist'

/** Says that the person is on a case, or no longer. */
export function onCase(visit: Visit, { name, taken, closed }: Case, from: From): Html {
  if (closed) return NOTHING
  if (taken?.by === recordedAs(visit.person)) {
    return form(visit, {
      ...{ ...from, to: ['cases', name, 'release'], button: 'I am no longer on it' },
      command: tenantctl('case', 'release', name),
    })
  }
  return form(visit, {
    ...{ ...from, to: ['cases', name, 'take'] },
    button: taken ? `Take it over from ${taken.by}` : 'I am on it',
    fields: taken ? [{ kind: 'hidden', name: 'force', value: 'yes' }] : [],
    command: tenantctl('case', 'take', name, ...(taken ? ['--force'] : [])),
  })
}

import { OTHER, type Owned } from '../../reporting/rows'
import { brief } from '../kit/output'

/** `news.fabrikam.com belongs to fabrikam` */
export function ownedText({ domain, owner }: Owned): string {
  if (domain === OTHER) return 'more such domains'
  return owner === ''
    ? `${brief(domain)} belongs to another tenant`
    : `${brief(domain)} belongs to ${brief(owner)}`
}

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { messageOf } from '../base/errors'
import { readOwnedFile } from '../base/owned-file'
import { packageRoot } from '../base/package-root'
import { METER_NAMES, USUAL_METER, type NamedMeter } from '../mail/meters'
import {
  CONTACT_MAILS,
  CONTACT_PARTS,
  parseTemplate,
  type ContactMail,
  type ContactPart,
  type Template,
} from './contact-template'
import type { AlertSettings } from './settings'

const SHIPPED = path.join(packageRoot(), 'config', 'contact-mail')

/** Where the texts of a site are; each that it does not have is the shipped one. */
export interface SiteTexts {
  /** Absolute; empty: the shipped texts only. */
  readonly directory: string
  /** Reads a file that the ini file may name. @throws as `fs.readFileSync`. */
  readonly read: (file: string) => Buffer
}

/**
 * The texts of a site.
 *
 * @param owner uid of the owner of the ini file.   @param configDirectory Haraka's.
 */
export function siteTexts(
  { alerts, owner }: { readonly alerts: AlertSettings; readonly owner: number },
  configDirectory: string,
): SiteTexts {
  const { contactTemplates } = alerts
  return {
    directory: contactTemplates && path.resolve(configDirectory, contactTemplates),
    read: (file) => readOwnedFile(file, owner).content,
  }
}

/** Reads the templates of mail to contacts, as they are now. */
export class ContactTemplates {
  /** @param onBroken is called with what is wrong with a text of the site; the shipped one is used. */
  constructor(
    private readonly site: () => SiteTexts,
    private readonly onBroken: (message: string) => void,
  ) {}

  /** @param meter that the mail is about; absent: the usual one. */
  get(name: ContactMail | ContactPart, meter?: NamedMeter): Template {
    const own = meter === undefined ? name : `${name}-${meter}`
    try {
      return ownTemplate(this.site(), own) ?? shipped(name)
    } catch (error) {
      this.onBroken(messageOf(error))
      return shipped(name)
    }
  }
}

/** What is wrong with the texts of a site, in words. */
export function templateMistakes(site: SiteTexts): string[] {
  if (site.directory === '') return []
  try {
    return readdirSync(site.directory)
      .filter((file) => file.endsWith('.txt'))
      .flatMap((file) => mistakeIn(site, file.slice(0, -'.txt'.length)))
  } catch (error) {
    return [messageOf(error)]
  }
}

function mistakeIn(site: SiteTexts, name: string): string[] {
  if (!FILES.includes(name)) {
    return [`${name}.txt: no mail is called so; there are ${FILES.join(', ')}`]
  }
  try {
    ownTemplate(site, name)
    return []
  } catch (error) {
    return [messageOf(error)]
  }
}

const FILES: readonly string[] = [
  ...CONTACT_MAILS,
  ...METER_NAMES.filter((meter) => meter !== USUAL_METER).flatMap((meter) => [
    ...[`restricted-${meter}`, `allowance-${meter}`],
  ]),
  ...CONTACT_PARTS,
]

/** `undefined`: the site has none. @throws {InputError} it is broken; as `fs.readFileSync`. */
function ownTemplate({ directory, read }: SiteTexts, name: string): Template | undefined {
  if (directory === '') return undefined
  const file = path.join(directory, `${name}.txt`)
  let text: string
  try {
    text = read(file).toString('utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return parseTemplate(file, text, isMail(name))
}

function shipped(name: ContactMail | ContactPart): Template {
  const file = path.join(SHIPPED, `${name}.txt`)
  return parseTemplate(file, readFileSync(file, 'utf8'), isMail(name))
}

function isMail(name: string): boolean {
  return !CONTACT_PARTS.some((part) => part === name)
}

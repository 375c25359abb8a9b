import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from './scratch'

/** Options of startPostfix(). */
export interface StartPostfixOptions {
  /** Lines of main.cf, below those that every Postfix of the tests has. */
  mainCf?: string
  /** Further files of its configuration directory, by name; readable for root alone, as keys and passwords must be. */
  files?: Record<string, string>
  /** Addresses whose mail it keeps, each in a mailbox of its own. It takes no other recipients in their domains. */
  mailboxes?: readonly string[]
  /** Mail to the one address goes on to the others (virtual_alias_maps), with its sender as it is. */
  forwards?: Readonly<Record<string, string>>
}

/** Whom mailboxes belong to (`nobody`): no delivery agent works with the rights of root or of Postfix itself. */
const MAILBOX_UID = 65_534

/**
 * A folder with all that a Postfix of its own needs, next to nothing of it from the system's: its configuration is
 * `config`, its queue `queue`, and the mailboxes are in `mail`.
 */
export function makePostfixSite(options: StartPostfixOptions): string {
  const site = scratchDir('postfix')
  // Its processes are not root, and must get to their files through our scratch folder.
  for (const folder of [path.dirname(site), site]) chmodSync(folder, 0o711)
  for (const folder of ['config', 'data', 'mail']) mkdirSync(path.join(site, folder))
  makeQueue(site)
  chownSync(path.join(site, 'mail'), MAILBOX_UID, MAILBOX_UID)
  writeFileSync(logFile(site), '')
  const config = path.join(site, 'config')
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(path.join(config, name), text, { mode: 0o600 })
  }
  writeMailboxes(site, options.mailboxes ?? [])
  writeForwards(site, options.forwards ?? {})
  writeMainCf(site, options.mainCf ?? '')
  letFilesRest(config)
  return site
}

/** Postfix waits until a file that it reads has not changed for more than a second (dict_load_file_xt()): these have not. */
function letFilesRest(folder: string): void {
  const past = Date.now() / 1000 - 60
  for (const name of readdirSync(folder)) utimesSync(path.join(folder, name), past, past)
}

/**
 * The folders of a queue, as `postfix start` would make them. That command also looks through all files of the system's
 * Postfix, for seconds, and its master leaves our process group.
 */
function makeQueue(site: string): void {
  const own = ['active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming']
  const folders = [...own, 'private', 'saved', 'trace', 'public', 'maildrop']
  const queue = path.join(site, 'queue')
  for (const folder of [...folders, 'pid']) mkdirSync(path.join(queue, folder), { recursive: true })
  const paths = folders.map((folder) => path.join(queue, folder))
  // Users and group are made by its package.
  execFileSync('chown', ['postfix', path.join(site, 'data'), ...paths])
  execFileSync('chgrp', ['postdrop', ...paths.slice(-2)])
  for (const folder of paths) chmodSync(folder, 0o700)
  for (const folder of paths.slice(-2))
    chmodSync(folder, folder.endsWith('public') ? 0o710 : 0o1730)
}

/** Where it logs. Not to stdout: Postfix opens that by its name, and a socket, which is what Node gives, cannot be opened. */
export function logFile(site: string): string {
  return path.join(site, 'log')
}

/** Where Postfix delivers the mail of an address (Maildir). */
export function mailboxDir(site: string, address: string): string {
  return path.join(site, 'mail', address)
}

function writeMailboxes(site: string, addresses: readonly string[]): void {
  const lines = addresses.map((address) => `${address} ${address}/\n`)
  writeFileSync(path.join(site, 'config/mailboxes'), lines.join(''))
  const domains = new Set(addresses.map((address) => address.slice(address.lastIndexOf('@') + 1)))
  writeFileSync(
    path.join(site, 'config/domains'),
    [...domains].map((each) => `${each} -\n`).join(''),
  )
}

function writeForwards(site: string, forwards: Readonly<Record<string, string>>): void {
  const lines = Object.entries(forwards).map(([from, to]) => `${from} ${to}\n`)
  writeFileSync(path.join(site, 'config/forwards'), lines.join(''))
}

/** main.cf with these lines at the end. */
function writeMainCf(site: string, lines: string): void {
  const config = path.join(site, 'config')
  const text = `compatibility_level = 3.6
queue_directory = ${site}/queue
data_directory = ${site}/data
maillog_file = ${logFile(site)}
maillog_file_prefixes = ${site}
myhostname = mx.onpremises.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
# It asks no name server.
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
virtual_mailbox_domains = texthash:${config}/domains
virtual_mailbox_maps = texthash:${config}/mailboxes
virtual_mailbox_base = ${site}/mail
virtual_uid_maps = static:${MAILBOX_UID}
virtual_gid_maps = static:${MAILBOX_UID}
virtual_alias_maps = texthash:${config}/forwards

`
  writeFileSync(path.join(config, 'main.cf'), text + lines)
}

/** master.cf: what a server needs that takes mail by SMTP, delivers to mailboxes and relays; nothing in a chroot. */
export function writeMasterCf(site: string, port: number): void {
  const services = `127.0.0.1:${port} inet n - n - - smtpd
pickup   unix n - n 60  1 pickup
cleanup  unix n - n -   0 cleanup
qmgr     unix n - n 300 1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n -   - trivial-rewrite
bounce   unix - - n -   0 bounce
defer    unix - - n -   0 bounce
trace    unix - - n -   0 bounce
flush    unix n - n 1000? 0 flush
proxymap unix - - n -   - proxymap
smtp     unix - - n -   - smtp
relay    unix - - n -   - smtp
showq    unix n - n -   - showq
error    unix - - n -   - error
retry    unix - - n -   - error
virtual  unix - n n -   - virtual
anvil    unix - - n -   1 anvil
scache   unix - - n -   1 scache
postlog  unix-dgram n - n - 1 postlogd
`
  writeFileSync(path.join(site, 'config/master.cf'), services)
}

/** A word of the console: how a heading or a state says it, what it means, and what Exchange Online calls it. */
export interface Word {
  readonly title: string
  readonly meaning: string
  readonly exchange?: string
}

/** The catalogue. Each heading is one of these, and links to its line in the glossary, which is in the order of the titles. */
export const WORDS = {
  // What pages talk about.
  tenant: {
    title: 'Tenant',
    meaning: 'An organisation that relays mail through this server.',
  },
  unregisteredMail: {
    title: 'Unregistered mail',
    meaning:
      'Mail of a tenant from a sender domain that is not an accepted domain of this tenant. Each of its recipients counts against the allowance.',
    exchange: 'Mail from unregistered domains',
  },
  foreignMail: {
    title: 'Another tenant’s domain',
    meaning:
      'The sender domain is an accepted domain of another tenant. Such mail counts as unregistered mail, and is often a sign of a server that was taken over.',
  },
  forwardedMail: {
    title: 'Forwarded mail',
    meaning:
      'Mail that is proven, by DKIM or ARC, to be a forward of mail that others have sent. It has an allowance of its own.',
  },
  nullSender: {
    title: 'Null sender',
    meaning:
      'Mail with an empty sender, such as bounces. It has an allowance of its own, and never restricts a tenant.',
  },
  recipients: {
    title: 'Recipients and messages',
    meaning:
      'A message to five people is one message and five recipients. Limits count recipients. Each figure here says which of the two it is.',
  },
  allowance: {
    title: 'Allowance',
    meaning:
      'How many recipients of unregistered mail a tenant may have in each window of time, such as 300 in one hour. All limits hold at once.',
  },
  restrictedAutomatically: {
    title: 'Restricted automatically',
    meaning:
      'The tenant went past its allowance. Its unregistered mail is refused with 550 5.7.750 until a person unblocks it.',
  },
  restrictedByHand: {
    title: 'Restricted by hand',
    meaning:
      'A person has restricted the tenant: its unregistered mail, or all mail that it relays.',
  },
  wouldBeRestricted: {
    title: 'Would be restricted',
    meaning:
      'The tenant went past its allowance in mode monitor, which counts and reports, and refuses nothing.',
  },
  mode: {
    title: 'Mode',
    meaning:
      'enforce: past its allowance a tenant is restricted. monitor: its mail is counted and reported, never refused. off: nothing is counted.',
  },
  unblock: {
    title: 'Unblock',
    meaning:
      'Ends a restriction on all hosts at once. What the tenant has used of its allowance starts afresh, unless you keep it.',
  },
  probation: {
    title: 'On probation',
    meaning:
      'For some time after it was unblocked a tenant has smaller limits, so that a server that is still taken over does little harm.',
  },
  checklist: {
    title: 'Checklist 2 of 4',
    meaning:
      'How many of the four steps before a tenant is unblocked are done: its domains, its connectors, its servers, and the proof that the cause is gone.',
  },
  unusual: {
    title: 'Unusual',
    meaning:
      'The sending pattern of the tenant has changed, such as to many new domains. It is a hint, and refuses nothing.',
  },
  deferred: {
    title: 'Deferred because Redis was away',
    meaning:
      'What could not be counted was answered with 451. The sending server tries again, and no mail is lost.',
  },
  unattributedMail: {
    title: 'Mail without a tenant',
    meaning:
      'A session that may relay matched no connector. Add a connector with its user, certificate or address to the tenant that it belongs to.',
  },
  notReporting: {
    title: 'Host not reporting',
    meaning:
      'Haraka ran on this host, and no process of it has been heard of since. Either it is down, or it cannot reach Redis.',
  },
  // Headings of pages.
  overview: {
    title: 'Overview',
    meaning: 'What goes on at the relay now, and what people have changed in the last 24 hours.',
  },
  restricted: {
    title: 'Restricted tenants and blocked connectors',
    meaning:
      'Mail of a restricted tenant is refused with 550 5.7.750, unless it comes from one of its accepted domains. A blocked connector relays nothing.',
    exchange: 'Restricted entities',
  },
  changes: {
    title: 'What people changed in the last 24 hours',
    meaning:
      'Changes of tenants, domains, connectors, restrictions, cases, hosts and the pause. What happened by itself, such as a restriction after an exceeded allowance, is not among them.',
  },
  restrictedNow: {
    title: 'Restricted now',
    meaning:
      'Tenants whose unregistered mail is refused, those with most refused recipients in the last minute first. They stay so until a person unblocks them.',
  },
  near: {
    title: 'Near a limit',
    meaning:
      'Tenants with unregistered mail in the last five minutes that have used much of an allowance, or will be restricted if their mail goes on at the pace of the last ten minutes.',
  },
  blocked: {
    title: 'Blocked connectors',
    meaning:
      'Connectors through which nothing is relayed, not even registered mail, until a person unblocks them.',
  },
  alerts: {
    title: 'Alerts that wait',
    meaning:
      'Alerts that a channel has not delivered yet, contacts that get mail only when a person says so, and alerts that a person has snoozed.',
  },
  processes: {
    title: 'Processes',
    meaning: 'The Haraka processes with the plugin. Each says every five seconds how it is.',
  },
  relayLately: {
    title: 'The last 24 hours of the relay',
    meaning:
      'Mail of all classes. A message counts by the best outcome of its recipients; refunded: its recipients were accepted, but not the message.',
  },
  nodes: {
    title: 'Hosts and processes',
    meaning:
      'What each Haraka process says of itself, and how it differs from most others. A host of which every process is silent for a minute is missing.',
  },
  doctor: {
    title: 'Doctor',
    meaning: 'Checks of Redis, of the registry, of the processes and of the configuration.',
  },
  events: {
    title: 'Events',
    meaning:
      'What raised an alert in the last 30 days. Several events of one kind within 15 minutes are one alert, with their count.',
  },
  audit: {
    title: 'Audit',
    meaning:
      'Who changed what: the user of the system, the user of Redis, and the name that was given. Entries are kept for a year.',
  },
  enforcement: {
    title: 'Enforcement',
    meaning:
      'Whether limits and restrictions refuse mail. In a pause they do not, on all hosts; what a person has restricted or blocked is refused all the same, unless the pause lets everything pass.',
  },
  report: {
    title: 'Report of unregistered mail',
    meaning:
      'Mail of a tenant from domains that are not among its accepted domains: from whom, how much, by which connector. Count is messages, Recipients is recipients; a message that is refused at MAIL counts as one. Deferred ones are not in it, since they are tried again.',
    exchange: 'Non-accepted domain report',
  },
  limitsForSomeTime: {
    title: 'Limits for some time',
    meaning:
      'Other limits of a tenant that apply until a time, such as for a campaign that was announced. The usual ones apply again by themselves.',
  },
  settings: {
    title: 'Settings',
    meaning: 'Name, mode, limits and contact of a tenant. Only an admin changes them.',
  },
  newTenant: {
    title: 'New tenant',
    meaning:
      'Registers a tenant. It relays once it has a connector, and its own domains are not counted once they are accepted domains.',
  },
  domains: {
    title: 'Accepted domains',
    meaning:
      'The sender domains that are registered for a tenant. Mail from them always passes and is not counted; only a restriction of all mail, which a person places, stops it. A shared one is registered without being owned: another tenant can have it too.',
    exchange: 'Accepted domains',
  },
  addDomains: {
    title: 'Add accepted domains',
    meaning: 'Mail of the tenant from them is then no longer counted or refused, on all hosts.',
  },
  changeDomains: {
    title: 'Change accepted domains',
    meaning:
      'Whether names below them count too, or their removal: mail from a removed domain is unregistered from then on.',
  },
  connectors: {
    title: 'Connectors',
    meaning:
      'How the servers of tenants are recognised: by the user they sign in as, by their TLS certificate, or by their address. A blocked or disabled connector still recognises its sessions, and what they relay is refused.',
    exchange: 'Inbound connectors',
  },
  addConnector: {
    title: 'Add a connector',
    meaning:
      'Sessions with one of its identities then belong to the tenant. No two connectors have the same identity.',
  },
  blockHere: {
    title: 'Block a connector',
    meaning: 'A blocked connector relays nothing, registered mail neither, until it is unblocked.',
  },
  goingOn: {
    title: 'What goes on now',
    meaning:
      'Recipients of each of the last 15 minutes. Refused and accepted are of unregistered mail; registered mail passes whatever the allowance.',
  },
  through: {
    title: 'Through what, and from where',
    meaning:
      "What each connector, sender domain, address and AUTH user has of the tenant's unregistered mail. Messages and recipients are counted apart.",
  },
  stopIt: {
    title: 'Stop it',
    meaning:
      'A blocked connector relays nothing, on all hosts at once; the other connectors of its tenant go on.',
  },
  registerOwn: {
    title: 'Register what is its own',
    meaning:
      "Mail from a registered domain is not counted. An attacker's domain that is registered by mistake sends without a limit.",
  },
  dropQueued: {
    title: 'Drop from the queue',
    meaning:
      'Removes unregistered and foreign mail of the tenant from the queues of all hosts, without a bounce.',
  },
  tickSteps: {
    title: 'Tick the checklist',
    meaning:
      'What is to be done before a tenant is unblocked, with what is recorded for each step. With [case] checklist=require it is not unblocked before.',
  },
  closeCase: {
    title: 'Close the case',
    meaning: 'The work is done. Its evidence is kept for 30 days from then on, its record for 365.',
  },
  changedBefore: {
    title: 'What was changed before',
    meaning: 'The latest changes of the tenant by people, up to a week before it was restricted.',
  },
  cases: {
    title: 'Cases',
    meaning:
      'Each restriction of a tenant opens a case, with its evidence, the checklist and notes. A person closes it. contoso:3 is the third case of contoso.',
  },
  notes: {
    title: 'Notes',
    meaning: 'What people have written down about the case.',
  },
  evidence: {
    title: 'Evidence',
    meaning: 'What was known when the tenant was restricted, kept with the case.',
  },
  queue: {
    title: 'Mail in the queue',
    meaning:
      "A tenant's mail that hosts have accepted and not delivered yet. Held mail waits until the tenant is unblocked.",
  },
  register: {
    title: 'Register a domain',
    meaning:
      'A registered (accepted) domain is the tenant’s own: mail from it is not counted, and passes while the tenant is restricted. So a domain of an attacker must never be registered.',
  },
  explain: {
    title: 'Explain a message',
    meaning:
      'What would happen to a message that a session relays, step by step, and why. Nothing is sent, and nothing is changed.',
  },
  search: {
    title: 'Search',
    meaning:
      'Tenants, accepted domains, connectors and cases are found by any part of their names; sender domains, addresses and Message-IDs of the last 8 days by how they begin, a domain also by a name above it. Mail from accepted domains is not recorded by sender, and not found.',
  },
} as const satisfies Readonly<Record<string, Word>>

export type WordName = keyof typeof WORDS

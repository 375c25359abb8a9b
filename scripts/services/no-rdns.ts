/** A plugin that sets a name for every client, so that Haraka makes no DNS queries about them. */
export const NO_RDNS = {
  name: 'no_rdns',
  text: "exports.hook_lookup_rdns = (next) => next(OK, 'client.example')\n",
}

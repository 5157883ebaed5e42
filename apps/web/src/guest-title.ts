/** What guests are called for people; a name that is not here speaks for itself. */
const TITLES: Readonly<Record<string, string>> = {
  "embedded": "Embedded guest", "debian-12-i386": "Debian 12, 32 bit", "debian-12-i386-pae": "Debian 12, 32 bit PAE", "debian-12-amd64": "Debian 12, 64 bit",
  "debian-12-installer-i386": "Debian installer, 32 bit", "debian-12-installer-amd64": "Debian installer, 64 bit", "memtest86+": "Memtest86+",
  "memtest86+x64": "Memtest86+, 64 bit", "xen-4.17": "Xen 4.17", "seabios": "SeaBIOS",
};

/** The title of a guest. */
export function guestTitle(name: string): string {
  return TITLES[name] ?? name;
}

/** Shell completion, written from the command definitions themselves, so that it cannot fall behind them. */
import type { Command } from "commander";

/** The shells that there is completion for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Entry { path: string; commands: string[]; options: { flags: string[]; takesFile: boolean; choices: string[]; says: string }[]; says: Map<string, string> }

function entries(command: Command, path: string): Entry[] {
  const own: Entry = {
    path,
    commands: command.commands.map((sub) => sub.name()),
    says: new Map(command.commands.map((sub) => [sub.name(), sub.description()])),
    options: [...command.createHelp().visibleOptions(command)].map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
      takesFile: option.required && /<(file|f)>/i.test(option.flags),
      choices: option.argChoices ?? [],
      says: option.description,
    })),
  };
  return [own, ...command.commands.flatMap((sub) => entries(sub, `${path} ${sub.name()}`))];
}

/** The script for a shell, to be evaluated by it. */
export function completionScript(program: Command, shell: Shell): string {
  const all = entries(program, program.name());
  return shell === "bash" ? bash(program.name(), all) : shell === "zsh" ? zsh(program.name(), all) : fish(program.name(), all);
}

function bash(name: string, all: Entry[]): string {
  const words = all.map((entry) => `    "${entry.path}") words="${[...entry.commands, ...entry.options.flatMap((option) => option.flags)].join(" ")}" ;;`);
  const files = [...new Set(all.flatMap((entry) => entry.options.filter((option) => option.takesFile).flatMap((option) => option.flags)))];
  const choices = all.flatMap((entry) => entry.options.filter((option) => option.choices.length > 0))
    .map((option) => `    ${option.flags.join("|")}) COMPREPLY=($(compgen -W "${option.choices.join(" ")}" -- "$current")); return ;;`);
  return `# bash completion: eval "$(${name} completion bash)"
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="${name}" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${all.map((entry) => entry.path.replaceAll(" ", "/")).join(" ")} " in *" \${path// //}/$word "*) path="$path $word" ;; esac
  done
  case "$previous" in
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
${choices.join("\n")}
  esac
  case "$path" in
${words.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _${name} ${name}
`;
}

const quote = (text: string): string => text.replaceAll("'", "'\\''");

function zsh(name: string, all: Entry[]): string {
  const cases = all.map((entry) => {
    const items = [
      ...entry.commands.map((command) => `'${command}:${quote(entry.says.get(command) ?? "").replaceAll(":", "\\:")}'`),
      ...entry.options.map((option) => `'${option.flags.at(-1)}:${quote(option.says).replaceAll(":", "\\:")}'`),
    ];
    return `    "${entry.path}") items=(${items.join(" ")}) ;;`;
  });
  const files = [...new Set(all.flatMap((entry) => entry.options.filter((option) => option.takesFile).flatMap((option) => option.flags)))];
  return `#compdef ${name}
# zsh completion: eval "$(${name} completion zsh)"
_${name}() {
  local -a items
  local command="${name}" word
  for word in \${words[2,CURRENT-1]}; do
    case " ${all.map((entry) => entry.path.replaceAll(" ", "/")).join(" ")} " in *" \${command// //}/$word "*) command="$command $word" ;; esac
  done
  case "\${words[CURRENT-1]}" in
    ${files.join("|")}) _files; return ;;
  esac
  case "$command" in
${cases.join("\n")}
  esac
  _describe '${name}' items
}
compdef _${name} ${name}
`;
}

function fish(name: string, all: Entry[]): string {
  const lines = all.flatMap((entry) => {
    const parts = entry.path.split(" ").slice(1);
    const condition = parts.length === 0 ? "__fish_use_subcommand" : `__fish_seen_subcommand_from ${parts.at(-1)}`;
    return [
      ...entry.commands.map((command) => `complete -c ${name} -f -n '${condition}' -a ${command} -d '${quote(entry.says.get(command) ?? "")}'`),
      ...entry.options.map((option) => {
        const flags = option.flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(" ");
        const value = option.choices.length > 0 ? ` -x -a '${option.choices.join(" ")}'` : option.takesFile ? " -r -F" : "";
        return `complete -c ${name} -n '${condition}' ${flags}${value} -d '${quote(option.says)}'`;
      }),
    ];
  });
  return `# fish completion: ${name} completion fish | source\n${lines.join("\n")}\n`;
}

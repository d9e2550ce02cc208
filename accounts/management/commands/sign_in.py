import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts import stored_messages
from accounts.database_errors import PlainCommand
from accounts.models import SignInSource
from accounts.sign_in import preview, testing
from accounts.sign_in.outages import SourceDown

VERDICTS = {testing.OK: "ok", testing.BAD: "FAIL", testing.NOT_ASKED: "-"}


class Command(PlainCommand):
    help = "List the sources of sign-in, or test the connection of one and show what a person would become."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="list the sources")
        test = commands.add_parser("test", help="test a source, active or not; nobody is signed in")
        test.add_argument("name")
        test.add_argument("--person", default="", help="a user name of a directory, whose account and roles are shown")

    def handle(self, *, command: str, name: str = "", person: str = "", **options: Any) -> None:
        if command == "list":
            self._list()
        else:
            self._test(self._source(name), person)

    def _list(self) -> None:
        for source in SignInSource.objects.all():
            state = "active" if source.is_active else "not active"
            self.stdout.write(f"{source.name:20} {source.kind:10} {state:11} {source.label}")
        if not SignInSource.objects.exists():
            self.stdout.write("No source of sign-in. Add one under /admin/.")

    def _source(self, name: str) -> SignInSource:
        found = SignInSource.objects.filter(name=name).first()
        if found is None:
            known = ", ".join(SignInSource.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no source {name!r}. Known: {known}.")
        return found

    def _test(self, source: SignInSource, person: str) -> None:
        lines = testing.run_and_record(source, person)
        for line in lines:
            what, sentence = (stored_messages.english(text) for text in (line.what, line.sentence))
            self.stdout.write(f"{VERDICTS[line.state]:5} {what:24} {sentence}".rstrip())
        if person:
            self._foresee(source, person)
        if not testing.works(lines):
            sys.exit(1)

    def _foresee(self, source: SignInSource, person: str) -> None:
        if not testing.can_find(source):
            raise CommandError("People can be looked up in a directory alone, when its packages are installed.")
        try:
            found = testing.find(source, person)
        except SourceDown as error:
            raise CommandError(error.message.english) from None
        if found is None:
            raise CommandError(f"The directory knows nobody by the name {person!r}.")
        seen = preview.foresee(source, found)
        told = {
            "sign-in": f"refused: {seen.refusal.english}" if seen.refusal else "let in",
            "account": seen.account.english,
            "gets": ", ".join(seen.gets),
            "keeps": ", ".join(seen.keeps),
            "loses": ", ".join(seen.loses),
            "classes": " ".join(seen.further),
            "groups": "; ".join(seen.group_names) if seen.groups_are_complete else "not complete: no role changes",
        }
        for label, text in told.items():
            self.stdout.write(f"      {label:24} {text or '-'}")

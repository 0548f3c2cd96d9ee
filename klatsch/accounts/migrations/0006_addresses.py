"""Keeps each e-mail address with its domain as DNS has it, and compares addresses in ASCII's letter case.

Where two people's addresses turn out to be one, nothing is changed and the migration says whose they are: which of
the two may keep it is not ours to guess. Give one of them another address in the admin, and migrate again.

Locks the table while the index of addresses is built anew, and while every address is read once.
"""

from collections import defaultdict
from typing import Any

from django.core.management.base import CommandError
from django.db import migrations

from klatsch.accounts.addresses import AddressField, address_key, check_domain, fold_address


def fold_addresses(apps: Any, schema_editor: Any) -> None:
    people = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    owners = defaultdict(list)
    moved = {}
    for pk, username, email in people.values_list("pk", "username", "email").iterator():
        owners[address_key(email)].append(username)
        if fold_address(email) != email:
            moved[pk] = email
    clashes = sorted(", ".join(sorted(names)) for names in owners.values() if len(names) > 1)
    if clashes:
        raise CommandError(
            f"These people have one e-mail address, differently spelled: {'; '.join(clashes)}. Nothing was changed. "
            "Give all but one of them another address in the admin, and migrate again."
        )
    for pk, email in moved.items():
        people.filter(pk=pk).update(email=fold_address(email))


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_profiles'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='email',
            field=AddressField(db_collation='C', max_length=254, validators=[check_domain]),
        ),
        migrations.RunPython(fold_addresses, migrations.RunPython.noop, elidable=True),
    ]

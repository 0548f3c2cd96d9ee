from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0007_marker_begins"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="membershipinterval",
            index=models.Index(
                condition=models.Q(("version__gt", 1)),
                fields=["epoch", "partition", "offset"],
                name="interval_by_place",
            ),
        ),
        migrations.RemoveIndex(
            model_name="membershipinterval",
            name="interval_of_removed",
        ),
    ]

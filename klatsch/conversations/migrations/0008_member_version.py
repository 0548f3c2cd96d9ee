from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0007_begun'),
    ]

    operations = [
        migrations.AlterField(
            model_name='member',
            name='version',
            field=models.PositiveIntegerField(db_default=1),
        ),
    ]

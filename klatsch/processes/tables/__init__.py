"""The tables that pages have from the code; `manage.py tables` writes each into its marked section."""

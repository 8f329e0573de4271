"""Salesforce: accounts, contacts, opportunities, cases, activities, and any other object of an org."""

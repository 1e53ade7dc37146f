"""Does training on other machines help a new one?"""

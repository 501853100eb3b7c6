"""Labels of public sets in the words of our taxonomy; what has no counterpart is left out."""

from __future__ import annotations

from types import MappingProxyType

# Surprise has no counterpart: it is left out.
SMP_EMOTIONS = MappingProxyType(
    {
        "angry": "anger",
        "happy": "joy",
        "neutral": "neutral",
        "sad": "disappointment",
        "fear": "anxiety",
    }
)

BITEXT_INTENTS = MappingProxyType(
    {
        "cancel_order": "order_cancel",
        "change_order": "order_change",
        "change_shipping_address": "order_change",
        "check_cancellation_fee": "policy_info",
        "check_invoice": "invoice",
        "check_payment_methods": "payment_options",
        "check_refund_policy": "aftersales_policy",
        "complaint": "complaint",
        "contact_customer_service": "policy_info",
        "contact_human_agent": "human_agent",
        "create_account": "account_change",
        "delete_account": "account_closure",
        "delivery_options": "delivery_options",
        "delivery_period": "delivery_tracking",
        "edit_account": "account_change",
        "get_invoice": "invoice",
        "get_refund": "refund_request",
        "payment_issue": "payment_problem",
        "place_order": "order_placement",
        "recover_password": "account_access",
        "registration_problems": "account_access",
        "switch_account": "account_change",
        "track_order": "delivery_tracking",
        "track_refund": "refund_status",
    }
)

BANKING_INTENTS = MappingProxyType(
    {
        "Refund_not_showing_up": "refund_status",
        "request_refund": "refund_request",
        "card_payment_fee_charged": "billing",
        "cash_withdrawal_charge": "billing",
        "extra_charge_on_statement": "billing",
        "exchange_charge": "billing",
        "transfer_fee_charged": "billing",
        "top_up_by_card_charge": "billing",
        "top_up_by_bank_transfer_charge": "billing",
        "order_physical_card": "account_change",
        "get_physical_card": "account_access",
        "card_arrival": "delivery_tracking",
        "card_delivery_estimate": "delivery_tracking",
        "edit_personal_details": "account_change",
        "terminate_account": "account_closure",
        "passcode_forgotten": "account_access",
        "pin_blocked": "account_access",
        "lost_or_stolen_card": "security",
        "lost_or_stolen_phone": "security",
        "compromised_card": "security",
        "cash_withdrawal_not_recognised": "security",
        "card_payment_not_recognised": "security",
        "direct_debit_payment_not_recognised": "security",
        "declined_card_payment": "payment_problem",
        "declined_transfer": "payment_problem",
        "failed_transfer": "payment_problem",
        "top_up_failed": "payment_problem",
        "transaction_charged_twice": "payment_problem",
        "declined_cash_withdrawal": "payment_problem",
        "top_up_limits": "payment_options",
        "supported_cards_and_currencies": "payment_options",
        "country_support": "policy_info",
        "age_limit": "policy_info",
        "fiat_currency_support": "policy_info",
        "card_not_working": "product_defect",
        "contactless_not_working": "product_defect",
        "virtual_card_not_working": "product_defect",
        "unable_to_verify_identity": "account_access",
    }
)
